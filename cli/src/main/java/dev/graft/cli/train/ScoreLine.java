package dev.graft.cli.train;

import dev.graft.eval.metrics.Bootstrap;
import dev.graft.eval.tasks.Scores;
import java.util.Locale;
import java.util.stream.Collectors;

/** Formats scores in one line, with their intervals. */
public final class ScoreLine {
    private ScoreLine() {}

    /** Returns {@code loss 0.412, accuracy 0.862 (0.831 to 0.891), …}. */
    public static String of(Scores scores) {
        return scores.metrics().entrySet().stream()
                .filter(metric -> !metric.getKey().matches(".*(precision|recall)"))
                .map(metric -> {
                    Bootstrap.Interval interval = scores.intervals().get(metric.getKey());
                    String bounds = interval == null
                            ? ""
                            : String.format(Locale.ROOT, " (%.4g to %.4g)", interval.low(), interval.high());
                    return String.format(Locale.ROOT, "%s %.4g%s", metric.getKey(), metric.getValue(), bounds);
                })
                .collect(Collectors.joining(", "));
    }
}
