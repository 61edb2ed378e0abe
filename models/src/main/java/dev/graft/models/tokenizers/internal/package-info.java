/** How tokenizers are read, run and post-processed. */
@NullMarked
package dev.graft.models.tokenizers.internal;

import org.jspecify.annotations.NullMarked;
