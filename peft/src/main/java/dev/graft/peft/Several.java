package dev.graft.peft;

import dev.graft.models.sites.Site;
import java.util.List;

/** Several selections that act in one adapter's place: at each site they are one effect. */
sealed interface Several permits Averaged, Divided {
    /** Their stacks. */
    List<Stack> members();

    /** All of them as one effect; none where none of them acts. */
    List<Effect> effects(Site site);

    /** Whether one of them does something at a site. */
    default boolean actOn(Site site) {
        return members().stream()
                .flatMap(stack -> stack.adapters().stream())
                .anyMatch(active -> !active.effects(site).isEmpty());
    }

    default List<Preview> previews() {
        return members().stream()
                .flatMap(stack -> stack.adapters().stream())
                .flatMap(active -> active.previews().stream())
                .toList();
    }
}
