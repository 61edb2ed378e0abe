package dev.graft.models;

import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Hooks;

/** Hooks for one model. They refuse other models, and may read a batch before the model does. */
public interface ModelHooks extends Hooks {
    /** Refuses a model that the hooks weren't made for: its sites differ, so they would have no effect. */
    void requireFit(Backbone backbone);

    /** Prepares a pass: stores values in it that are computed from the inputs first. */
    default void beforePass(Backbone backbone, Inputs in, ForwardPass pass) {}

    /** Refuses the model if the hooks belong to another one. */
    static void requireFit(Hooks hooks, Backbone backbone) {
        if (hooks instanceof ModelHooks own) {
            own.requireFit(backbone);
        }
    }
}
