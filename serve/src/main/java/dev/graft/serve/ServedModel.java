package dev.graft.serve;

import dev.graft.models.Base;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.peft.LabelSpace;
import dev.graft.peft.Selection;

/**
 * The model that answers a request: the base, alone or with an adapter.
 *
 * @param name its name in requests
 * @param revision a number that differs for each load of an adapter, so that cached results of an older adapter of the same name aren't
 *     used
 * @param selection the active adapters
 * @param labelSpace the labels of a classifier, as far as they are known
 */
public record ServedModel(String name, long revision, Selection selection, LabelSpace labelSpace) {
    /** Creates a model whose labels are unknown. */
    public ServedModel(String name, long revision, Selection selection) {
        this(name, revision, selection, LabelSpace.UNKNOWN);
    }

    /** Creates the model of the base alone. */
    public static ServedModel base(String name) {
        return new ServedModel(name, 0, Selection.BASE);
    }

    /** Returns whether the adapter acts on each token independently. Prompts, prefixes and interventions depend on the whole text. */
    public boolean isTokenwise(Base base) {
        Hooks hooks = selection.hooks();
        return base.sites().stream()
                .filter(site -> !(site instanceof Linear || site instanceof Norm || site instanceof Block))
                .allMatch(hooks::isFrozen);
    }
}
