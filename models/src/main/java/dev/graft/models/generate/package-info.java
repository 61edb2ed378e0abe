/** Text generation with causal language models and encoder-decoders. */
@NullMarked
package dev.graft.models.generate;

import org.jspecify.annotations.NullMarked;
