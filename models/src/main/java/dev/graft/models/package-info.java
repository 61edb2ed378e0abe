/**
 * Pretrained transformers: loading, forward passes, generation. An architecture is one file in {@code arch}; adapters attach to its
 * {@link dev.graft.models.sites.Site sites}.
 */
@NullMarked
package dev.graft.models;

import org.jspecify.annotations.NullMarked;
