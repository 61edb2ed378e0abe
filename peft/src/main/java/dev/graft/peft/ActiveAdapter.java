package dev.graft.peft;

import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Site;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * An adapter in a selection.
 *
 * @param strength the factor of its effects; 1 for the whole adapter
 * @param skipped layers in which it has no effect
 * @param composition the combined effects of several adapters that it represents, else null
 */
record ActiveAdapter(
        Adapter adapter,
        double strength,
        Set<Integer> skipped,
        @Nullable Composition composition) {
    ActiveAdapter(Adapter adapter, double strength) {
        this(adapter, strength, Set.of(), null);
    }

    /** Returns its effects at a site, in order. */
    List<Effect> effects(Site site) {
        if (skipped.contains(site.layer())) {
            return List.of();
        }
        return composition == null ? adapter.effects(site) : composition.effects(site);
    }

    List<LookAhead> lookAheads() {
        return composition == null ? adapter.lookAheads() : composition.lookAheads();
    }

    long prefixLength(Attention site) {
        return adapter.prefixLength(site.kind());
    }

    long prefixShift(Attention site) {
        return adapter.prefixShift(site.kind());
    }
}
