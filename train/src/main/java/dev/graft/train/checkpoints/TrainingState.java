package dev.graft.train.checkpoints;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.formats.Sha256;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The progress of a run, apart from its tensors: the content of {@code state.json} in a checkpoint.
 *
 * @param step optimiser steps done
 * @param epoch the epoch that the next batch belongs to, from 0
 * @param batch the next batch within that epoch, from 0: the data cursor
 * @param best the watched metric, null if none is watched
 * @param loss the loss of the last step; NaN if none was kept
 * @param tokens the tokens that the steps saw, padding excluded
 * @param evaluationDue true if the evaluation of this step was abandoned and must run before the next step
 * @param random the seeds and counters of the generators, by name
 * @param config every setting that influences the result; a run resumes only with an equal one
 */
public record TrainingState(
        long step,
        int epoch,
        int batch,
        @Nullable BestScore best,
        double loss,
        long tokens,
        boolean evaluationDue,
        Map<String, Long> random,
        JsonNode config) {

    public TrainingState {
        random = new TreeMap<>(random);
    }

    /** Returns the SHA-256 of the settings, independent of the order of their keys. */
    public String configHash() {
        return Sha256.of(Json.pretty(config));
    }

    /**
     * Checks that a run may resume this state.
     *
     * @param now the settings of the run
     * @param checkpoint the folder, for the message
     * @throws InputException naming the settings and data in which the run differs from the one that saved this state
     */
    public void requireConfig(JsonNode now, Path checkpoint) {
        List<String> differences = new RunDifferences(config, now).text();
        if (!differences.isEmpty()) {
            throw new InputException(checkpoint + " cannot be resumed: " + String.join("; ", differences)
                    + ". Resume with the same settings and data, or start anew in another folder.");
        }
    }

    JsonNode toJson() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("step", step);
        json.put("epoch", epoch);
        json.put("batch", batch);
        if (best != null) {
            ObjectNode score = json.putObject("best");
            score.put("metric", best.metric());
            score.put("greater_is_better", best.greaterIsBetter());
            score.put("step", best.step());
            score.put("stale", best.stale());
            if (best.value() != null) {
                score.put("value", best.value());
            }
            if (best.reference() != null) {
                score.put("reference", best.reference());
            }
        }
        if (Double.isFinite(loss)) {
            json.put("loss", loss);
        }
        json.put("tokens", tokens);
        if (evaluationDue) {
            json.put("evaluation_due", true);
        }
        ObjectNode generators = json.putObject("random");
        random.forEach(generators::put);
        json.set("config", config);
        json.put("config_sha256", configHash());
        return json;
    }

    static TrainingState fromJson(Path file, JsonNode json) {
        TrainingState state;
        try {
            JsonNode score = json.path("best");
            BestScore best = score.isMissingNode()
                    ? null
                    : new BestScore(
                            score.required("metric").stringValue(),
                            score.required("greater_is_better").booleanValue(),
                            optional(score, "value"),
                            score.required("step").longValue(),
                            score.required("stale").intValue(),
                            optional(score, "reference"));
            Map<String, Long> random = new TreeMap<>();
            json.required("random")
                    .properties()
                    .forEach(
                            entry -> random.put(entry.getKey(), entry.getValue().longValue()));
            state = new TrainingState(
                    json.required("step").longValue(),
                    json.required("epoch").intValue(),
                    json.required("batch").intValue(),
                    best,
                    json.path("loss").asDouble(Double.NaN),
                    json.path("tokens").asLong(0),
                    json.path("evaluation_due").asBoolean(false),
                    random,
                    json.required("config"));
        } catch (JacksonException | IllegalArgumentException e) {
            throw new FormatException(file.toString(), "is not the state of a checkpoint: " + e.getMessage(), e);
        }
        String hash = json.path("config_sha256").asString("");
        if (!hash.equals(state.configHash())) {
            throw new FormatException(file, "config_sha256 is " + hash + ", but config has " + state.configHash());
        }
        return state;
    }

    private static @Nullable Double optional(JsonNode score, String field) {
        return score.has(field) ? score.get(field).doubleValue() : null;
    }
}
