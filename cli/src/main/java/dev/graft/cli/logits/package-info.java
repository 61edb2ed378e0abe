/** {@code graft logits}: the numbers that a model gives for token ids, as a file. */
@NullMarked
package dev.graft.cli.logits;

import org.jspecify.annotations.NullMarked;
