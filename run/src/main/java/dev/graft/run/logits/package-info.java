/** The logits and hidden states of a model for token ids, written to a file. */
@NullMarked
package dev.graft.run.logits;

import org.jspecify.annotations.NullMarked;
