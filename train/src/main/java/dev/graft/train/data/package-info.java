/**
 * From files to batches: rows of data sets, their labels, examples of token ids with what the loss sees, and batches in a repeatable
 * order.
 */
@NullMarked
package dev.graft.train.data;

import org.jspecify.annotations.NullMarked;
