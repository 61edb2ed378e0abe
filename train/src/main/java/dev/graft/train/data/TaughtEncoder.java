package dev.graft.train.data;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** Examples whose answers by a teacher are learnt too. */
public record TaughtEncoder(RowEncoder inner, Goal.Distill goal) implements RowEncoder {
    @Override
    public Example encode(int index, Row row, String place, int maxLength) {
        return inner.encode(index, row, place, maxLength);
    }

    @Override
    public @Nullable List<Example> windows(int index, Row row, String place, int maxLength) {
        return inner.windows(index, row, place, maxLength);
    }

    @Override
    public Example drawn(Example example, long draw) {
        return inner.drawn(example, draw);
    }
}
