package dev.graft.models.sites;

import org.jspecify.annotations.Nullable;

/**
 * The output of one of a layer's blocks, before it is added to the residual stream.
 *
 * @param name the path under which adapters of this site are stored
 * @param norm the normalisation after the residual addition (post-norm models), or null (pre-norm models)
 */
public record Block(
        String name,
        int layer,
        Kind kind,
        int hidden,
        @Nullable Norm norm) implements Site {
    public enum Kind {
        ATTENTION,
        /** Attention of a decoder to its encoder's positions. */
        CROSS_ATTENTION,
        FEED_FORWARD
    }
}
