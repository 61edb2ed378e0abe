package dev.graft.eval.suites.chat;

import dev.graft.eval.suites.chat.Judge.Judgement;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** The ratings of answers by a judge. */
public record MtRatings(String judge, List<Rating> ratings) {
    public MtRatings {
        ratings = List.copyOf(ratings);
    }

    /** The rating of one turn, from 0. */
    public record Rating(MtQuestion question, int turn, Judgement<Double> judgement) {}

    /** Returns the mean ratings over all turns, over each turn, and over each category; NaN without ratings. */
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
                .map(rating -> rating.judgement.value())
                .filter(Objects::nonNull)
                .mapToDouble(Double::doubleValue)
                .average()
                .orElse(Double.NaN);
    }

    /** Returns the number of replies that couldn't be parsed. */
    public long failures() {
        return ratings.stream().filter(rating -> rating.judgement.failed()).count();
    }

    /** Returns the number of answers that the judge didn't rate. */
    public long unrated() {
        return ratings.stream()
                        .filter(rating -> rating.judgement.value() == null)
                        .count()
                - failures();
    }
}
