package dev.graft.models.sites;

import org.jspecify.annotations.Nullable;

/**
 * The output of a layer's attention or feed-forward block, before it is added to the residual stream.
 *
 * @param name the path under which adapters of this place are stored
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
        FEED_FORWARD
    }
}
