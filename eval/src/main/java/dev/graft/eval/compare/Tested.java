package dev.graft.eval.compare;

import dev.graft.formats.Fields;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a trained method gave on rows that nothing was chosen by.
 *
 * @param metrics its scores
 * @param rows for each row 1 if its class was found, else 0; the number of right tags; the summed loss of its tokens for a causal model
 * @param weights of the rows in the score: the number of their tags or of their tokens where these are scored, else 1
 */
public record Tested(Map<String, Double> metrics, List<Double> rows, List<Double> weights) {
    static final Tested NONE = new Tested(Map.of(), List.of(), List.of());

    public Tested {
        metrics = new LinkedHashMap<>(metrics);
        rows = List.copyOf(rows);
        weights = List.copyOf(weights);
    }

    /** NaN if there is no such metric. */
    public double metric(String name) {
        return metrics.getOrDefault(name, Double.NaN);
    }

    /** The mean over rows in the order given, a row that stands there twice counted twice. */
    double mean(int[] drawn) {
        double sum = 0;
        double weight = 0;
        for (int row : drawn) {
            sum += rows.get(row);
            weight += weights.get(row);
        }
        return sum / weight;
    }

    /** Whether a metric is the mean over the rows. */
    boolean isMean(String metric) {
        double mean = sum(rows) / sum(weights);
        return Math.abs(mean - metric(metric)) < 1e-4 * Math.max(1, Math.abs(mean));
    }

    private static double sum(List<Double> values) {
        return values.stream().mapToDouble(value -> value).sum();
    }

    /** Adds {@code test}, {@code test_rows} and, where they differ, {@code test_weights}. */
    void write(ObjectNode json) {
        OutcomeJson.writeMetrics(json.putObject("test"), metrics);
        OutcomeJson.writeNumbers(json.putArray("test_rows"), rows);
        if (weights.stream().anyMatch(weight -> weight != 1)) {
            OutcomeJson.writeNumbers(json.putArray("test_weights"), weights);
        }
    }

    static Tested of(Fields json) {
        List<Double> rows = OutcomeJson.readNumbers(json, "test_rows");
        return new Tested(
                OutcomeJson.readMetrics(json.object("test")),
                rows,
                json.has("test_weights")
                        ? OutcomeJson.readNumbers(json, "test_weights")
                        : Collections.nCopies(rows.size(), 1.0));
    }
}
