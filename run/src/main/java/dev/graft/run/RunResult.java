package dev.graft.run;

import dev.graft.eval.tasks.Scores;
import dev.graft.train.TrainResult;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * The result of a run.
 *
 * @param folder the folder with its adapter, checkpoints, logs and report
 * @param before the scores on validation rows before the first step; null without such rows
 * @param after the scores of the saved adapter on validation rows; null without such rows, or if the run was interrupted
 * @param test the scores on test rows; null without such rows, or if the run was interrupted
 * @param report the content of {@code report.json}
 */
public record RunResult(
        Path folder,
        TrainResult training,
        @Nullable Scores before,
        @Nullable Scores after,
        @Nullable Scores test,
        ObjectNode report) {}
