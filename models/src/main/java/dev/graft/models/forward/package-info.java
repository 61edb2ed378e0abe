/** One forward pass: its inputs, its context, its collected outputs, and the segments of its gradient. */
@NullMarked
package dev.graft.models.forward;

import org.jspecify.annotations.NullMarked;
