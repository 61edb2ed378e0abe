/** Splitting files into records and records into rows. */
@NullMarked
package dev.graft.train.data.internal;

import org.jspecify.annotations.NullMarked;
