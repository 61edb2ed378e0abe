/** {@code graft logits}: writes the logits of a model for token ids to a file. */
@NullMarked
package dev.graft.cli.logits;

import org.jspecify.annotations.NullMarked;
