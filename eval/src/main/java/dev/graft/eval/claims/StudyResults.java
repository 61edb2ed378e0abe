package dev.graft.eval.claims;

import dev.graft.eval.compare.MethodResult;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The results of the studies, by the names of the studies and of their transfer sets. */
public record StudyResults(Map<String, List<MethodResult>> results) {
    public StudyResults {
        results = new LinkedHashMap<>(results);
    }

    /** Returns the result of a method in a study; empty if it has no score. */
    public Optional<MethodResult> of(String study, String method) {
        return results.getOrDefault(study, List.of()).stream()
                .filter(result -> result.method().equals(method) && result.hasScore())
                .findFirst();
    }

    /** Returns how much a method scores above another; empty where one has no score. */
    Optional<EffectSize> effect(String study, String method, String than) {
        return of(study, method).flatMap(result -> of(study, than).map(other -> EffectSize.of(result, other)));
    }
}
