package dev.graft.eval.suites.chat;

import dev.graft.eval.suites.chat.Judge.Opinion;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** How good a judge takes answers to be. */
public record MtRatings(String judge, List<Rating> ratings) {
    public MtRatings {
        ratings = List.copyOf(ratings);
    }

    /** Of one turn, from 0. */
    public record Rating(MtQuestion question, int turn, Opinion<Double> opinion) {}

    /** The mean over all turns with a rating, over each turn, and over each category; NaN where there is none. */
    public Map<String, Double> means() {
        Map<String, Double> means = new LinkedHashMap<>();
        means.put("score", mean(rating -> true));
        means.put("turn_1", mean(rating -> rating.turn == 0));
        means.put("turn_2", mean(rating -> rating.turn == 1));
        TreeSet<String> categories = ratings.stream()
                .map(rating -> rating.question.category())
                .collect(Collectors.toCollection(TreeSet::new));
        categories.forEach(category ->
                means.put(category, mean(rating -> rating.question.category().equals(category))));
        return means;
    }

    private double mean(Predicate<Rating> which) {
        return ratings.stream()
                .filter(which)
                .map(rating -> rating.opinion.value())
                .filter(Objects::nonNull)
                .mapToDouble(Double::doubleValue)
                .average()
                .orElse(Double.NaN);
    }

    /** How often the judge's words couldn't be read. */
    public long failures() {
        return ratings.stream().filter(rating -> rating.opinion.failed()).count();
    }

    /** How often the judge said nothing. */
    public long unrated() {
        return ratings.stream().filter(rating -> rating.opinion.value() == null).count() - failures();
    }
}
