package dev.graft.eval.claims;

import dev.graft.eval.compare.Standing;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What came of the studies, by their names and those that they give to other data sets. */
public record Results(Map<String, List<Standing>> standings) {
    public Results {
        standings = new LinkedHashMap<>(standings);
    }

    /** A method that has a score in a study. */
    public Optional<Standing> of(String study, String method) {
        return standings.getOrDefault(study, List.of()).stream()
                .filter(standing -> standing.method().equals(method) && standing.scored())
                .findFirst();
    }

    /** How much a method scores above another; empty where one has no score. */
    Optional<Effect> effect(String study, String method, String than) {
        return of(study, method).flatMap(standing -> of(study, than).map(other -> Effect.of(standing, other)));
    }
}
