package dev.graft.run;

import dev.graft.eval.tasks.Scorer;
import dev.graft.eval.tasks.TaskSpec;
import dev.graft.peft.Adapter;
import dev.graft.run.config.RunConfig;
import dev.graft.run.model.LoadedModel;
import dev.graft.train.TrainPlan;
import dev.graft.train.TrainSettings;
import dev.graft.train.data.Examples;
import dev.graft.train.data.files.Splits;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Everything that a run needs before its first step: encoded rows, loaded base, new adapter and checked settings.
 *
 * @param config the config of the run, with the kind that {@code quantization=auto} has chosen
 * @param maxLength the maximum length of a row in tokens
 */
public record PreparedRun(
        RunConfig config,
        TaskSpec taskSpec,
        Splits splits,
        LoadedModel loaded,
        Adapter adapter,
        Examples train,
        @Nullable Examples validation,
        @Nullable Examples test,
        Scorer<?> scorer,
        TrainSettings settings,
        TrainPlan plan,
        int evalBatchSize,
        int maxLength,
        RowTasks tasks,
        List<String> notes)
        implements AutoCloseable {
    @Override
    public void close() {
        splits.close();
    }
}
