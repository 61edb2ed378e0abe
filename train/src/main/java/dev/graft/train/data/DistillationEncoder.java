package dev.graft.train.data;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** Encodes rows as another encoder does, for knowledge distillation from a teacher. */
public record DistillationEncoder(RowEncoder inner, TrainingObjective.Distill objective) implements RowEncoder {
    @Override
    public Example encode(int index, Row row, String place, int maxLength) {
        return inner.encode(index, row, place, maxLength);
    }

    @Override
    public @Nullable List<Example> windows(int index, Row row, String place, int maxLength) {
        return inner.windows(index, row, place, maxLength);
    }

    @Override
    public Example redraw(Example example, long draw) {
        return inner.redraw(example, draw);
    }
}
