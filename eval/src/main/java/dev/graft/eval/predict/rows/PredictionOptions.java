package dev.graft.eval.predict.rows;

import java.nio.file.Path;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The options for predictions.
 *
 * @param batchSize the number of rows in a forward pass
 * @param maxNewTokens the maximum number of tokens of a generated text
 * @param labels the labels that a dual encoder chooses from
 * @param template the text around a label, {@code {}} for the label
 * @param masks the folder for predicted masks; null to write none
 * @param isStopped true once the remaining rows must be skipped; checked between slow rows
 */
public record PredictionOptions(
        int batchSize,
        int maxNewTokens,
        List<String> labels,
        String template,
        @Nullable Path masks,
        BooleanSupplier isStopped) {}
