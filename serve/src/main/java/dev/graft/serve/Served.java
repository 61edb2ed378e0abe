package dev.graft.serve;

import dev.graft.models.Base;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.peft.Answers;
import dev.graft.peft.Selection;

/**
 * What answers: the base alone or with an adapter.
 *
 * @param name what clients call it
 * @param revision differs each time that an adapter is loaded, so that what was made with an older one under the same name isn't used
 * @param answers what is known of its answers
 */
public record Served(String name, long revision, Selection selection, Answers answers) {
    /** Of whose answers nothing is known. */
    public Served(String name, long revision, Selection selection) {
        this(name, revision, selection, Answers.UNKNOWN);
    }

    /** The base alone. */
    public static Served base(String name) {
        return new Served(name, 0, Selection.BASE);
    }

    /** Whether what acts looks at each token for itself; prompts, prefixes and interventions look at a text as a whole. */
    boolean isLocal(Base base) {
        Hooks hooks = selection.hooks();
        return base.sites().stream()
                .filter(site -> !(site instanceof Linear || site instanceof Norm || site instanceof Block))
                .allMatch(hooks::isFrozen);
    }
}
