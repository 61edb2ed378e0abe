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
 * What comparisons have measured of methods.
 *
 * <pre>{@code
 * Records records = Records.shipped().and(Records.of(Path.of("runs/compare-demo")));
 * records.advantage("lora", "SEQ_CLS");   // 0.012 above the middle method
 * }</pre>
 */
public record Records(List<Comparison> comparisons) {
    public Records {
        comparisons = List.copyOf(comparisons);
    }

    /**
     * One comparison.
     *
     * @param task of the base's head, such as {@code SEQ_CLS}
     * @param greaterIsBetter whether more of the metric is better
     */
    public record Comparison(
            String base, String task, String data, String metric, boolean greaterIsBetter, List<Score> scores) {
        public Comparison {
            scores = List.copyOf(scores);
        }

        /** How much better a method is than the middle one. */
        OptionalDouble advantage(String method) {
            double[] sorted = scores.stream().mapToDouble(Score::value).sorted().toArray();
            double middle = sorted.length == 0 ? 0 : sorted[sorted.length / 2];
            return scores.stream()
                    .filter(score -> score.method.equals(method))
                    .mapToDouble(score -> greaterIsBetter ? score.value - middle : middle - score.value)
                    .findFirst();
        }
    }

    /**
     * What a method scored on test rows.
     *
     * @param trainablePercent of the parameters of base and adapter
     */
    public record Score(String method, double value, double trainablePercent) {}

    /** Those that come with Graft. */
    public static Records shipped() {
        try (InputStream in = Objects.requireNonNull(Records.class.getResourceAsStream("records.json"))) {
            List<Comparison> all = new ArrayList<>();
            for (JsonNode json : Json.parse("records.json", in.readAllBytes())) {
                List<Score> scores = new ArrayList<>();
                for (JsonNode each : json.required("methods")) {
                    scores.add(new Score(
                            each.required("method").asString(),
                            each.required("score").asDouble(),
                            each.required("trainable_percent").asDouble()));
                }
                all.add(new Comparison(
                        json.required("base").asString(),
                        json.required("task").asString(),
                        json.required("data").asString(),
                        json.required("metric").asString(),
                        true,
                        scores));
            }
            return new Records(all);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * That of a comparison's output folder, from its {@code standings.json} and its trials.
     *
     * @throws FormatException if it isn't one
     */
    public static Records of(Path folder) {
        Path file = folder.resolve("standings.json");
        if (!Files.isRegularFile(file)) {
            throw new FormatException(folder, "has no standings.json, so it is no finished comparison");
        }
        Fields json = Fields.read(file);
        String metric = json.string("metric");
        List<Score> scores = new ArrayList<>();
        JsonNode methods = json.node("methods");
        if (methods == null || !methods.isArray()) {
            throw new FormatException(file, "has no list of methods");
        }
        for (JsonNode method : methods) {
            if (method.path("scored").asBoolean(false)
                    && method.path("trainable").asLong(0) > 0) {
                scores.add(new Score(
                        method.path("method").asString(""),
                        method.path("score").asDouble(Double.NaN),
                        method.path("trainable_percent").asDouble(Double.NaN)));
            }
        }
        boolean greater = !(metric.equals("loss") || metric.equals("perplexity") || metric.matches("mae|mse|rmse"));
        String base = json.stringOrNull("base");
        String task = json.stringOrNull("task");
        String data = json.stringOrNull("data");
        return new Records(List.of(new Comparison(
                base == null ? folder.toString() : base,
                task == null ? "" : task,
                data == null ? folder.toString() : data,
                metric,
                greater,
                scores)));
    }

    /** These and others. */
    public Records and(Records others) {
        List<Comparison> all = new ArrayList<>(comparisons);
        all.addAll(others.comparisons);
        return new Records(all);
    }

    /** The mean over comparisons of how much better a method is than the middle one: of the same task where there are any, else of all. */
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

    /** The mean share of parameters that a method trained, in percent. */
    public double trainablePercent(String method) {
        return comparisons.stream()
                .flatMap(comparison -> comparison.scores.stream())
                .filter(score -> score.method.equals(method))
                .mapToDouble(Score::trainablePercent)
                .average()
                .orElse(Double.NaN);
    }

    /** What is known of a method, in words. */
    public String known(String method, String task) {
        List<String> lines = new ArrayList<>();
        for (Comparison comparison : comparisons) {
            for (Score score : comparison.scores) {
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
