package dev.graft.serve.json;

import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The beginning of one of several JSON texts, as long as it isn't decided which. */
record JsonAlternatives(List<JsonState> states) implements JsonState {
    static JsonState of(List<? extends JsonState> open) {
        return open.size() == 1 ? open.get(0) : new JsonAlternatives(List.copyOf(open));
    }

    @Override
    public boolean isComplete() {
        return states.stream().anyMatch(JsonState::isComplete);
    }

    @Override
    public @Nullable JsonState advance(int b) {
        List<JsonState> left = states.stream()
                .map(state -> state.advance(b))
                .filter(Objects::nonNull)
                .toList();
        return left.isEmpty() ? null : of(left);
    }
}
