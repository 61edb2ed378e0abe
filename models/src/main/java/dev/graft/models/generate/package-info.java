/** Continuing texts with causal language models. */
@NullMarked
package dev.graft.models.generate;

import org.jspecify.annotations.NullMarked;
