package dev.graft.eval.compare;

import dev.graft.eval.tasks.Scorer;
import dev.graft.eval.tasks.TaskSpec;
import dev.graft.formats.Sha256;
import dev.graft.models.Base;
import dev.graft.train.TrainSettings;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Rows;
import dev.graft.train.data.files.Splits;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The settings and data that all trials of a comparison share.
 *
 * @param base the base; a classifier's head is its best linear probe, so that every method starts from it
 * @param fingerprint the fingerprint of the base as it was loaded
 * @param train the training rows of all methods
 * @param validation the rows that select a learning rate
 * @param test the held-out rows, which select nothing
 * @param transferSets test rows of other data sets, on which every trained method is scored too
 * @param settings the training settings, except the learning rate and the seed
 * @param metric the score by which methods are compared
 * @param data a digest of the rows, see {@link #digest}
 * @param version the version of Graft
 */
public record Experiment(
        Base base,
        String fingerprint,
        TaskSpec taskSpec,
        Examples train,
        Examples validation,
        Examples test,
        Map<String, Examples> transferSets,
        TrainSettings settings,
        int evalBatchSize,
        String metric,
        String data,
        String version) {
    public Experiment {
        transferSets = new LinkedHashMap<>(transferSets);
    }

    /** Returns the SHA-256 of all rows and their labels, those of other data sets last. */
    public static String digest(Splits splits, Collection<Rows> elsewhere) {
        MessageDigest digest = Sha256.digest();
        List<@Nullable Rows> all = new ArrayList<>();
        all.add(splits.train());
        all.add(splits.validation());
        all.add(splits.test());
        all.addAll(elsewhere);
        for (Rows rows : all) {
            for (int row = 0; rows != null && row < rows.size(); row++) {
                digest.update(rows.get(row).toString().getBytes(StandardCharsets.UTF_8));
                digest.update((byte) '\n');
            }
            digest.update((byte) '\f');
        }
        return Sha256.hex(digest);
    }

    static String digest(String text) {
        return Sha256.of(text);
    }

    Scorer<?> scorer() {
        return taskSpec.scorer();
    }

    /** Returns whether a larger value of the metric is better. */
    public boolean greaterIsBetter() {
        return scorer().greaterIsBetter(metric);
    }

    /** Returns whether a score is better than another; any score is better than none. */
    boolean isBetter(@Nullable Double score, @Nullable Double than) {
        if (score == null || score.isNaN()) {
            return false;
        }
        return than == null || than.isNaN() || (greaterIsBetter() ? score > than : score < than);
    }

    /** Returns everything that decides the outcome of every trial. */
    ObjectNode toJson() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("base", base.name());
        json.put("base_fingerprint", fingerprint);
        json.put("dtype", Objects.toString(base.numerics()));
        if (!base.quantized().isEmpty()) {
            json.put("quantization", Objects.toString(base.quantization()));
        }
        json.put("task", taskSpec.task().name());
        json.put("data_sha256", data);
        json.put("train_rows", train.size());
        json.put("validation_rows", validation.size());
        json.put("test_rows", test.size());
        if (!transferSets.isEmpty()) {
            ObjectNode others = json.putObject("elsewhere_rows");
            transferSets.forEach((name, rows) -> others.put(name, rows.size()));
        }
        json.put("metric", metric);
        json.put("settings", settings.withLearningRate(1).withSeed(0).toString());
        json.put("version", version);
        return json;
    }
}
