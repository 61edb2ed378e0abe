package dev.graft.eval.compare;

import dev.graft.eval.cost.Machine;
import dev.graft.formats.Fields;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
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
 * @param test on the rows that nothing was chosen by
 * @param elsewhere on the test rows of other data sets, by the names that the experiment gives them
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
        Tested test,
        Map<String, Tested> elsewhere,
        List<Double> losses,
        double seconds,
        double step,
        @Nullable String failure) {
    public Outcome {
        validation = new LinkedHashMap<>(validation);
        elsewhere = new LinkedHashMap<>(elsewhere);
        losses = List.copyOf(losses);
    }

    /** A trial that gave no score. */
    static Outcome failed(Trial trial, String key, JsonNode experiment, JsonNode config, String failure) {
        return new Outcome(
                trial, key, experiment, config, 0, 0, Map.of(), Tested.NONE, Map.of(), List.of(), 0, 0, failure);
    }

    /** The same trial with the test rows of another data set in place of the own. */
    Outcome on(String name) {
        return new Outcome(
                trial,
                key,
                experiment,
                config,
                trainable,
                total,
                validation,
                Objects.requireNonNull(elsewhere.get(name), name),
                Map.of(),
                losses,
                seconds,
                step,
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
        OutcomeJson.writeMetrics(json.putObject("validation"), validation);
        test.write(json);
        if (!elsewhere.isEmpty()) {
            ObjectNode others = json.putObject("elsewhere");
            elsewhere.forEach((name, tested) -> tested.write(others.putObject(name)));
        }
        json.set("config", config);
        json.set("experiment", experiment);
        json.set("machine", Machine.read().toJson());
        OutcomeJson.writeNumbers(json.putArray("losses"), losses);
        return json;
    }

    /** @throws dev.graft.formats.FormatException if a field is missing or of another type */
    static Outcome of(Fields json) {
        Map<String, Tested> elsewhere = new LinkedHashMap<>();
        Fields others = json.objectOrNull("elsewhere");
        if (others != null) {
            others.names().forEach(name -> elsewhere.put(name, Tested.of(others.object(name))));
        }
        return new Outcome(
                new Trial(json.string("method"), json.number("learning_rate"), (long) json.number("seed")),
                json.string("key"),
                node(json, "experiment"),
                node(json, "config"),
                (long) json.number("trainable"),
                (long) json.number("total"),
                OutcomeJson.readMetrics(json.object("validation")),
                Tested.of(json),
                elsewhere,
                OutcomeJson.readNumbers(json, "losses"),
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
}
