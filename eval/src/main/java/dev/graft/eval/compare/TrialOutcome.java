package dev.graft.eval.compare;

import dev.graft.eval.cost.Machine;
import dev.graft.formats.Fields;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The outcome of a trial.
 *
 * @param key a digest of everything that decides the result; with another key the outcome is stale
 * @param experiment the facts that all trials share: base, data, settings, version
 * @param config the settings of the method
 * @param trainable the number of trained parameters
 * @param total the parameters of base and adapter, embeddings included and tied ones counted once
 * @param validation scores on the rows that select the learning rate
 * @param test scores on the test rows
 * @param transferScores scores on the test rows of other data sets, by their names in the experiment
 * @param losses the loss of each training step
 * @param seconds the duration of the training
 * @param stepSeconds the median time of a step in seconds, without the first two
 * @param failure the reason why there is no score; null if there is one
 */
@RecordBuilder
public record TrialOutcome(
        Trial trial,
        String key,
        JsonNode experiment,
        JsonNode config,
        long trainable,
        long total,
        Map<String, Double> validation,
        TestScores test,
        Map<String, TestScores> transferScores,
        List<Double> losses,
        double seconds,
        double stepSeconds,
        @Nullable String failure)
        implements TrialOutcomeBuilder.With {
    public TrialOutcome {
        validation = new LinkedHashMap<>(validation);
        transferScores = new LinkedHashMap<>(transferScores);
        losses = List.copyOf(losses);
    }

    /** A trial that gave no score. */
    static TrialOutcome failed(Trial trial, String key, JsonNode experiment, JsonNode config, String failure) {
        return new TrialOutcome(
                trial, key, experiment, config, 0, 0, Map.of(), TestScores.NONE, Map.of(), List.of(), 0, 0, failure);
    }

    /** Returns the outcome with the test rows of another data set in place of the own. */
    TrialOutcome on(String name) {
        return withTest(Objects.requireNonNull(transferScores.get(name), name)).withTransferScores(Map.of());
    }

    /** The content of its file. */
    ObjectNode toJson() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("method", trial.method());
        json.put("learning_rate", trial.learningRate());
        json.put("seed", trial.seed());
        json.put("key", key);
        if (failure != null) {
            json.put("failure", failure);
        }
        json.put("trainable", trainable);
        json.put("total", total);
        json.put("seconds", seconds);
        json.put("step_seconds", stepSeconds);
        TrialOutcomeJson.writeMetrics(json.putObject("validation"), validation);
        test.write(json);
        if (!transferScores.isEmpty()) {
            ObjectNode others = json.putObject("elsewhere");
            transferScores.forEach((name, tested) -> tested.write(others.putObject(name)));
        }
        json.set("config", config);
        json.set("experiment", experiment);
        json.set("machine", Machine.read().toJson());
        TrialOutcomeJson.writeNumbers(json.putArray("losses"), losses);
        return json;
    }

    /** @throws dev.graft.formats.FormatException if a field is missing or of another type */
    static TrialOutcome of(Fields json) {
        Map<String, TestScores> elsewhere = new LinkedHashMap<>();
        Fields others = json.objectOrNull("elsewhere");
        if (others != null) {
            others.names().forEach(name -> elsewhere.put(name, TestScores.of(others.object(name))));
        }
        return new TrialOutcome(
                new Trial(json.string("method"), json.number("learning_rate"), (long) json.number("seed")),
                json.string("key"),
                node(json, "experiment"),
                node(json, "config"),
                (long) json.number("trainable"),
                (long) json.number("total"),
                TrialOutcomeJson.readMetrics(json.object("validation")),
                TestScores.of(json),
                elsewhere,
                TrialOutcomeJson.readNumbers(json, "losses"),
                json.number("seconds"),
                json.number("step_seconds"),
                json.stringOrNull("failure"));
    }

    private static JsonNode node(Fields json, String name) {
        JsonNode node = json.node(name);
        if (node == null) {
            throw json.invalid(name, "an object");
        }
        return node;
    }
}
