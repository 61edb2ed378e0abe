package dev.graft.peft;

import dev.graft.models.sites.Site;
import java.util.List;

/** Several selections in place of one adapter, with a single combined effect at each site. */
interface Composition {
    /** Returns the combined effect; none if none of them has an effect. */
    List<Effect> effects(Site site);

    List<LookAhead> lookAheads();
}
