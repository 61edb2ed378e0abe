package dev.graft.eval.compare;

import dev.graft.eval.run.RunData;
import dev.graft.eval.run.Scorer;
import dev.graft.formats.Sha256;
import dev.graft.models.Base;
import dev.graft.train.TrainSettings;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Rows;
import dev.graft.train.data.Splits;
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
 * What all trials of a comparison share.
 *
 * @param base whose head, for a classifier, is the best linear probe of it: every method starts from what the frozen base knows
 * @param fingerprint of the base as it was loaded
 * @param train the same rows for all
 * @param validation rows that choose a learning rate
 * @param test rows that nothing is chosen by
 * @param elsewhere test rows of other data sets, which every trained method is scored on too
 * @param settings but for the learning rate and the seed
 * @param metric the score that methods are compared by
 * @param data a digest of the rows, see {@link #digest}
 * @param version of Graft
 */
public record Experiment(
        Base base,
        String fingerprint,
        RunData task,
        Examples train,
        Examples validation,
        Examples test,
        Map<String, Examples> elsewhere,
        TrainSettings settings,
        int evalBatchSize,
        String metric,
        String data,
        String version) {
    public Experiment {
        elsewhere = new LinkedHashMap<>(elsewhere);
    }

    /** SHA-256 of all rows and their labels, those of other data sets last. */
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
        return Scorer.of(task);
    }

    /** Whether more of the metric is better. */
    public boolean greaterIsBetter() {
        return scorer().greaterIsBetter(metric);
    }

    /** Whether a score is better than another; any is better than none. */
    boolean better(@Nullable Double score, @Nullable Double than) {
        if (score == null || score.isNaN()) {
            return false;
        }
        return than == null || than.isNaN() || (greaterIsBetter() ? score > than : score < than);
    }

    /** What decides the outcome of every trial. */
    ObjectNode toJson() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("base", base.name());
        json.put("base_fingerprint", fingerprint);
        json.put("dtype", Objects.toString(base.numerics()));
        if (!base.quantized().isEmpty()) {
            json.put("quantization", Objects.toString(base.quantization()));
        }
        json.put("task", task.task().name());
        json.put("data_sha256", data);
        json.put("train_rows", train.size());
        json.put("validation_rows", validation.size());
        json.put("test_rows", test.size());
        if (!elsewhere.isEmpty()) {
            ObjectNode others = json.putObject("elsewhere_rows");
            elsewhere.forEach((name, rows) -> others.put(name, rows.size()));
        }
        json.put("metric", metric);
        json.put("settings", settings.withLearningRate(1).withSeed(0).toString());
        json.put("version", version);
        return json;
    }
}
