package dev.graft.eval.recommend;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.OptionalDouble;
import tools.jackson.databind.JsonNode;

/**
 * Records of methods measured in comparisons, for recommendations.
 *
 * <pre>{@code
 * MeasuredRecords records = MeasuredRecords.shipped().and(MeasuredRecords.of(Path.of("runs/compare-demo")));
 * records.advantage("lora", "SEQ_CLS");   // 0.012 above the median method
 * }</pre>
 */
public record MeasuredRecords(List<MeasuredComparison> comparisons) {
    public MeasuredRecords {
        comparisons = List.copyOf(comparisons);
    }

    /**
     * A comparison.
     *
     * @param base the name of the base
     * @param task the task of its head, such as {@code SEQ_CLS}
     * @param greaterIsBetter true if greater values of the metric are better
     */
    public record MeasuredComparison(
            String base, String task, String data, String metric, boolean greaterIsBetter, List<MeasuredScore> scores) {
        public MeasuredComparison {
            scores = List.copyOf(scores);
        }

        /** Returns how much better a method is than the median one. */
        OptionalDouble advantage(String method) {
            double[] sorted =
                    scores.stream().mapToDouble(MeasuredScore::value).sorted().toArray();
            double middle = sorted.length == 0 ? 0 : sorted[sorted.length / 2];
            return scores.stream()
                    .filter(score -> score.method.equals(method))
                    .mapToDouble(score -> greaterIsBetter ? score.value - middle : middle - score.value)
                    .findFirst();
        }
    }

    /**
     * The score of a method on test rows.
     *
     * @param trainablePercent the trained share of the parameters of base and adapter, in percent
     */
    public record MeasuredScore(String method, double value, double trainablePercent) {}

    /** Returns the records that come with Graft. */
    public static MeasuredRecords shipped() {
        try (InputStream in = Objects.requireNonNull(MeasuredRecords.class.getResourceAsStream("records.json"))) {
            List<MeasuredComparison> all = new ArrayList<>();
            for (JsonNode json : Json.parse("records.json", in.readAllBytes())) {
                List<MeasuredScore> scores = new ArrayList<>();
                for (JsonNode each : json.required("methods")) {
                    scores.add(new MeasuredScore(
                            each.required("method").asString(),
                            each.required("score").asDouble(),
                            each.required("trainable_percent").asDouble()));
                }
                all.add(new MeasuredComparison(
                        json.required("base").asString(),
                        json.required("task").asString(),
                        json.required("data").asString(),
                        json.required("metric").asString(),
                        true,
                        scores));
            }
            return new MeasuredRecords(all);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * Returns the record of a comparison's output folder, from its {@code standings.json} and its trials.
     *
     * @throws FormatException if it isn't one
     */
    public static MeasuredRecords of(Path folder) {
        Path file = folder.resolve("standings.json");
        if (!Files.isRegularFile(file)) {
            throw new FormatException(folder, "has no standings.json, so it is no finished comparison");
        }
        Fields json = Fields.read(file);
        String metric = json.string("metric");
        List<MeasuredScore> scores = new ArrayList<>();
        JsonNode methods = json.node("methods");
        if (methods == null || !methods.isArray()) {
            throw new FormatException(file, "has no list of methods");
        }
        for (JsonNode method : methods) {
            if (method.path("scored").asBoolean(false)
                    && method.path("trainable").asLong(0) > 0) {
                scores.add(new MeasuredScore(
                        method.path("method").asString(""),
                        method.path("score").asDouble(Double.NaN),
                        method.path("trainable_percent").asDouble(Double.NaN)));
            }
        }
        boolean greater = !(metric.equals("loss") || metric.equals("perplexity") || metric.matches("mae|mse|rmse"));
        String base = json.stringOrNull("base");
        String task = json.stringOrNull("task");
        String data = json.stringOrNull("data");
        return new MeasuredRecords(List.of(new MeasuredComparison(
                base == null ? folder.toString() : base,
                task == null ? "" : task,
                data == null ? folder.toString() : data,
                metric,
                greater,
                scores)));
    }

    /** Returns these records and others. */
    public MeasuredRecords and(MeasuredRecords others) {
        List<MeasuredComparison> all = new ArrayList<>(comparisons);
        all.addAll(others.comparisons);
        return new MeasuredRecords(all);
    }

    /**
     * Returns the mean advantage of a method over the median one: over comparisons of the same task if there are any, else over all.
     */
    public OptionalDouble advantage(String method, String task) {
        OptionalDouble same = comparisons.stream()
                .filter(comparison -> comparison.task.equals(task))
                .flatMapToDouble(comparison -> comparison.advantage(method).stream())
                .average();
        return same.isPresent()
                ? same
                : comparisons.stream()
                        .flatMapToDouble(comparison -> comparison.advantage(method).stream())
                        .average();
    }

    /** Returns the mean share of parameters that a method trained, in percent. */
    public double trainablePercent(String method) {
        return comparisons.stream()
                .flatMap(comparison -> comparison.scores.stream())
                .filter(score -> score.method.equals(method))
                .mapToDouble(MeasuredScore::trainablePercent)
                .average()
                .orElse(Double.NaN);
    }

    /** Returns the records of a method, in words. */
    public String known(String method, String task) {
        List<String> lines = new ArrayList<>();
        for (MeasuredComparison comparison : comparisons) {
            for (MeasuredScore score : comparison.scores) {
                if (score.method.equals(method)) {
                    lines.add(String.format(
                            Locale.ROOT,
                            "%s %.3f on %s of %s%s",
                            comparison.metric,
                            score.value,
                            comparison.data,
                            comparison.base,
                            comparison.task.equals(task) ? "" : ", another kind of task"));
                }
            }
        }
        return lines.isEmpty() ? "nothing measured" : String.join("; ", lines);
    }
}
