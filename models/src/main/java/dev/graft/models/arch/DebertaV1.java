package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import java.util.EnumSet;
import java.util.Set;

/** DeBERTa (He et al., 2020), the first version of {@link Deberta}. */
public final class DebertaV1 extends DebertaFamily {
    @Override
    public String modelType() {
        return "deberta";
    }

    @Override
    public String classNamePrefix() {
        return "Deberta";
    }

    @Override
    public Set<Task> tasks() {
        Set<Task> tasks = EnumSet.copyOf(BertFamily.TASKS);
        tasks.remove(Task.MULTIPLE_CHOICE);
        return tasks;
    }

    @Override
    Deberta.Config config(Fields f) {
        if (f.bool("talking_head", false)) {
            throw f.invalid("talking_head", "false");
        }
        return config(f, true, Deberta.Later.NONE);
    }
}
