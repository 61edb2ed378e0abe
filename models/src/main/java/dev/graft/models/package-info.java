/**
 * Pretrained transformers: loading, forward passes, generation. An architecture is one file in {@code arch}; what can be adapted
 * in it are its {@link dev.graft.models.sites.Site sites}.
 */
@NullMarked
package dev.graft.models;

import org.jspecify.annotations.NullMarked;
