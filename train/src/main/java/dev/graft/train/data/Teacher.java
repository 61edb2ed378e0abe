package dev.graft.train.data;

import dev.graft.models.Base;
import dev.graft.models.sites.Hooks;

/**
 * A frozen model whose answers are learnt: a larger one, or a base with an adapter. It reads the token ids of the model that learns.
 *
 * <pre>{@code
 * Teacher teacher = new Teacher(base, Selection.of(adapter).hooks(), "smollm2 with chat");
 * }</pre>
 *
 * @param hooks what acts on the base
 * @param name tells it from others where a run goes on
 */
public record Teacher(Base base, Hooks hooks, String name) {
    /** What acts on the rows of a batch, by their tasks where they name some. */
    public Hooks hooks(Batch batch) {
        return hooks.tasks(batch.tasks());
    }

    @Override
    public String toString() {
        return name;
    }
}
