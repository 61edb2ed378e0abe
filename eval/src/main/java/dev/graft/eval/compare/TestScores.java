package dev.graft.eval.compare;

import dev.graft.formats.Fields;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.node.ObjectNode;

/**
 * The scores of a trained method on test rows.
 *
 * @param metrics the scores by name
 * @param rows a figure for each row: 1 for the right class and 0 for another one, the number of right tags, or the summed loss of the
 *     tokens of a causal model
 * @param weights the weight of each row in the score: the number of its tags or tokens if these are scored, else 1
 */
public record TestScores(Map<String, Double> metrics, List<Double> rows, List<Double> weights) {
    static final TestScores NONE = new TestScores(Map.of(), List.of(), List.of());

    public TestScores {
        metrics = new LinkedHashMap<>(metrics);
        rows = List.copyOf(rows);
        weights = List.copyOf(weights);
    }

    /** Returns a metric; NaN if there is none of that name. */
    public double metric(String name) {
        return metrics.getOrDefault(name, Double.NaN);
    }

    /** Returns the mean over these rows; a repeated row counts repeatedly. */
    double mean(int[] drawn) {
        double sum = 0;
        double weight = 0;
        for (int row : drawn) {
            sum += rows.get(row);
            weight += weights.get(row);
        }
        return sum / weight;
    }

    /** Returns whether a metric is the mean over the rows. */
    boolean isMean(String metric) {
        double mean = sum(rows) / sum(weights);
        return Math.abs(mean - metric(metric)) < 1e-4 * Math.max(1, Math.abs(mean));
    }

    private static double sum(List<Double> values) {
        return values.stream().mapToDouble(value -> value).sum();
    }

    /** Adds {@code test}, {@code test_rows} and, where they differ, {@code test_weights}. */
    void write(ObjectNode json) {
        TrialOutcomeJson.writeMetrics(json.putObject("test"), metrics);
        TrialOutcomeJson.writeNumbers(json.putArray("test_rows"), rows);
        if (weights.stream().anyMatch(weight -> weight != 1)) {
            TrialOutcomeJson.writeNumbers(json.putArray("test_weights"), weights);
        }
    }

    static TestScores of(Fields json) {
        List<Double> rows = TrialOutcomeJson.readNumbers(json, "test_rows");
        return new TestScores(
                TrialOutcomeJson.readMetrics(json.object("test")),
                rows,
                json.has("test_weights")
                        ? TrialOutcomeJson.readNumbers(json, "test_weights")
                        : Collections.nCopies(rows.size(), 1.0));
    }
}
