package dev.graft.eval.compare;

import dev.graft.eval.cost.Machine;
import dev.graft.formats.Fields;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * What came of a trial.
 *
 * @param key a digest of all that decides the result: another one makes the outcome stale
 * @param experiment what the trial shares with others: base, data, settings, version
 * @param config the settings of the method
 * @param trainable numbers that were trained
 * @param total parameters of the base, embeddings included and tied ones counted once, and those added to it
 * @param validation scores on the rows that choose the learning rate
 * @param test scores on the rows that nothing was chosen by
 * @param rows for each test row 1 if its class was found, else 0; the number of right tags; the summed loss of its tokens for a causal model
 * @param weights of the test rows in the score: the number of their tags or of their tokens where these are scored, else 1
 * @param losses of each training step
 * @param seconds that the training took
 * @param step the median time of a step in seconds, without the first two
 * @param failure why there is no score; null if there is one
 */
public record Outcome(
        Trial trial,
        String key,
        JsonNode experiment,
        JsonNode config,
        long trainable,
        long total,
        Map<String, Double> validation,
        Map<String, Double> test,
        List<Double> rows,
        List<Double> weights,
        List<Double> losses,
        double seconds,
        double step,
        @Nullable String failure) {
    public Outcome {
        validation = new LinkedHashMap<>(validation);
        test = new LinkedHashMap<>(test);
        rows = List.copyOf(rows);
        weights = List.copyOf(weights);
        losses = List.copyOf(losses);
    }

    /** A trial that gave no score. */
    static Outcome failed(Trial trial, String key, JsonNode experiment, JsonNode config, String failure) {
        return new Outcome(
                trial,
                key,
                experiment,
                config,
                0,
                0,
                Map.of(),
                Map.of(),
                List.of(),
                List.of(),
                List.of(),
                0,
                0,
                failure);
    }

    /** The content of its file. */
    ObjectNode toJson() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("method", trial.method());
        json.put("learning_rate", trial.rate());
        json.put("seed", trial.seed());
        json.put("key", key);
        if (failure != null) {
            json.put("failure", failure);
        }
        json.put("trainable", trainable);
        json.put("total", total);
        json.put("seconds", seconds);
        json.put("step_seconds", step);
        metrics(json.putObject("validation"), validation);
        metrics(json.putObject("test"), test);
        json.set("config", config);
        json.set("experiment", experiment);
        json.set("machine", Machine.read().toJson());
        numbers(json.putArray("losses"), losses);
        numbers(json.putArray("test_rows"), rows);
        if (weights.stream().anyMatch(weight -> weight != 1)) {
            numbers(json.putArray("test_weights"), weights);
        }
        return json;
    }

    private static void metrics(ObjectNode json, Map<String, Double> metrics) {
        metrics.forEach((name, value) -> {
            if (Double.isFinite(value)) {
                json.put(name, value);
            } else {
                json.putNull(name);
            }
        });
    }

    private static void numbers(ArrayNode array, List<Double> numbers) {
        numbers.forEach(number -> {
            if (number == Math.rint(number)) {
                array.add(number.longValue());
            } else {
                array.add(Float.parseFloat(String.format(Locale.ROOT, "%.6g", number)));
            }
        });
    }

    /** @throws dev.graft.formats.FormatException if a field is missing or of another type */
    static Outcome of(Fields json) {
        List<Double> rows = numbers(json, "test_rows");
        return new Outcome(
                new Trial(json.string("method"), json.number("learning_rate"), (long) json.number("seed")),
                json.string("key"),
                node(json, "experiment"),
                node(json, "config"),
                (long) json.number("trainable"),
                (long) json.number("total"),
                metrics(json.object("validation")),
                metrics(json.object("test")),
                rows,
                json.has("test_weights") ? numbers(json, "test_weights") : Collections.nCopies(rows.size(), 1.0),
                numbers(json, "losses"),
                json.number("seconds"),
                json.number("step_seconds"),
                json.stringOrNull("failure"));
    }

    private static JsonNode node(Fields json, String name) {
        JsonNode node = json.node(name);
        if (node == null) {
            throw json.wrong(name, "an object");
        }
        return node;
    }

    private static Map<String, Double> metrics(Fields json) {
        Map<String, Double> metrics = new LinkedHashMap<>();
        for (String name : json.names()) {
            Double value = json.numberOrNull(name);
            metrics.put(name, value == null ? Double.NaN : value);
        }
        return metrics;
    }

    private static List<Double> numbers(Fields json, String name) {
        return json.list(name).stream().map(JsonNode::doubleValue).toList();
    }
}
