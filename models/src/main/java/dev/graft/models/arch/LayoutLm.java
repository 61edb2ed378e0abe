package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import java.util.EnumSet;
import java.util.Set;

/**
 * LayoutLM (Xu et al., 2020): BERT that embeds the place of each token on a page. Texts here have no pages, so the
 * boxes of all tokens are at 0, as by default in transformers.
 */
public final class LayoutLm extends Bert {
    /** Reads {@code model_type: layoutlm}. */
    public LayoutLm() {
        super("layoutlm", "LayoutLM", "layoutlm.");
    }

    @Override
    public Set<Task> tasks() {
        Set<Task> tasks = EnumSet.copyOf(BertFamily.TASKS);
        tasks.remove(Task.MULTIPLE_CHOICE);
        return tasks;
    }

    @Override
    BertEncoder.Config config(Fields f) {
        return super.config(f).withCoordinates(f.integer("max_2d_position_embeddings", 1024, 1));
    }

    /** All of its models have the pooler, used or not. */
    @Override
    boolean pools(Task task) {
        return true;
    }

    @Override
    double dropout(BertEncoder encoder, Fields f) {
        return encoder.config().dropout();
    }
}
