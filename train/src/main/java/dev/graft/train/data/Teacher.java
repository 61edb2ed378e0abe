package dev.graft.train.data;

import dev.graft.models.Base;
import dev.graft.models.sites.Hooks;

/**
 * A frozen teacher model for knowledge distillation: a larger model, or a base with an adapter. It must share the student's token ids.
 *
 * <pre>{@code
 * Teacher teacher = new Teacher(base, Selection.of(adapter).hooks(), "smollm2 with chat");
 * }</pre>
 *
 * @param hooks the hooks of the teacher's adapters
 * @param name identifies the teacher when a run resumes
 */
public record Teacher(Base base, Hooks hooks, String name) {
    /** Returns the hooks for the rows of a batch, selected by task if the rows name tasks. */
    public Hooks hooks(Batch batch) {
        return hooks.forTasks(batch.tasks());
    }

    @Override
    public String toString() {
        return name;
    }
}
