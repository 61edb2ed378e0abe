package dev.graft.serve.json;

import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The beginning of one of several JSON texts, as long as it isn't decided which. */
record Alternatives(List<JsonState> open) implements JsonState {
    static JsonState of(List<? extends JsonState> open) {
        return open.size() == 1 ? open.get(0) : new Alternatives(List.copyOf(open));
    }

    @Override
    public boolean isWhole() {
        return open.stream().anyMatch(JsonState::isWhole);
    }

    @Override
    public @Nullable JsonState next(int b) {
        List<JsonState> left =
                open.stream().map(text -> text.next(b)).filter(Objects::nonNull).toList();
        return left.isEmpty() ? null : of(left);
    }
}
