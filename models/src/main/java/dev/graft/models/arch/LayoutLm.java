package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import java.util.EnumSet;
import java.util.Set;

/**
 * LayoutLM (Xu et al., 2020): BERT that embeds where on a page each token stands. Texts come here without pages, so the boxes of all tokens are at
 * 0, as with transformers where none are given.
 */
public final class LayoutLm extends Bert {
    /** Reads {@code model_type: layoutlm}. */
    public LayoutLm() {
        super("layoutlm", "LayoutLM", "layoutlm.");
    }

    @Override
    public Set<Task> tasks() {
        Set<Task> tasks = EnumSet.copyOf(EncoderFamily.TASKS);
        tasks.remove(Task.MULTIPLE_CHOICE);
        return tasks;
    }

    @Override
    Encoder.Config config(Fields f) {
        return super.config(f).withCoordinates(f.integer("max_2d_position_embeddings", 1024, 1));
    }

    /** All of its models have the pooler, used or not. */
    @Override
    boolean pools(Task task) {
        return true;
    }

    @Override
    double dropout(Encoder encoder, Fields f) {
        return encoder.config().dropout();
    }
}
