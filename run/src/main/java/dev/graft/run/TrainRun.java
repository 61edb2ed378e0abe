package dev.graft.run;

import dev.graft.eval.cost.CostMeter;
import dev.graft.eval.run.Curves;
import dev.graft.eval.run.DataMetadata;
import dev.graft.eval.run.RunReport;
import dev.graft.eval.run.ServingMetadata;
import dev.graft.eval.tasks.Scores;
import dev.graft.eval.tasks.TaskSpec;
import dev.graft.formats.AtomicWrite;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.TaskHooks;
import dev.graft.run.config.MemorySize;
import dev.graft.run.config.OutputOptions;
import dev.graft.run.config.RecipeWriter;
import dev.graft.run.config.RunConfig;
import dev.graft.run.progress.RunListener;
import dev.graft.train.Evaluation;
import dev.graft.train.Predictor;
import dev.graft.train.TrainResult;
import dev.graft.train.Trainer;
import dev.graft.train.TrainingException;
import dev.graft.train.TrainingListener;
import dev.graft.train.data.Examples;
import dev.graft.train.log.CsvLog;
import dev.graft.train.log.JsonLinesLog;
import dev.graft.train.log.TensorBoardLog;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;

/** A training run with everything around it: scores before, logs, scores after, the report. */
record TrainRun(PreparedRun prepared, Path folder, String command, RunListener listener) {

    TrainRun(PreparedRun prepared, String command, RunListener listener) {
        this(prepared, Path.of(prepared.config().output().outputDir()), command, listener);
    }

    /** @throws CancellationException if it was interrupted before or after its steps */
    RunResult run() {
        RunFolder output = RunFolder.of(prepared.config());
        output.prepare();
        String resolved = RecipeWriter.write(prepared.config(), command);
        AtomicWrite.text(folder.resolve("config.yaml"), resolved);
        Curves curves = new Curves(folder.resolve("logs/events.jsonl"));
        MemorySize most = prepared.config().economy().memoryLimit();
        MemoryLimit limit = new MemoryLimit(most == null ? Long.MAX_VALUE : most.bytes());
        try (CostMeter meter = CostMeter.start()) {
            Examples validation = prepared.validation();
            Scores before = validation == null
                    ? null
                    : scores(
                            validation,
                            prepared.config().base().initAdapter() == null
                                    ? Hooks.NONE
                                    : TaskHooks.of(prepared.adapter()),
                            false,
                            "Interrupted before a step was done; the same command begins where this one did");
            limit.releaseMemory();
            Evaluation evaluation =
                    validation == null ? null : prepared.scorer().evaluation(predictor(validation));
            ServingMetadata metadata = ServingMetadata.of(
                            prepared.taskSpec(),
                            prepared.loaded().base(),
                            prepared.loaded().files())
                    .withTaskField(prepared.tasks().field())
                    .withTasks(prepared.tasks().names())
                    .withRows(rows());
            TrainResult result;
            try (RunListener.Work saving = listener.onWork("Stopping after the batch under way and saving a checkpoint;"
                    + " Ctrl-C again ends at once, without it")) {
                result = new Trainer(
                                prepared.settings(),
                                prepared.adapter(),
                                prepared.train(),
                                evaluation,
                                folder,
                                listeners(curves, limit),
                                metadata::write)
                        .run(output.from(), () -> listener.isStopRequested() || limit.passed() != null);
            }
            if (limit.passed() != null) {
                throw new TrainingException(limit.passed() + ". The checkpoint in " + folder + " is whole");
            }
            Path saved = result.adapter();
            Scores after = null;
            Scores test = null;
            if (saved != null) {
                Hooks adapted = TaskHooks.of(prepared.adapter());
                String missing = "Interrupted after the last step: " + saved
                        + " is whole, but has no scores and no report; graft eval scores it";
                after = validation == null ? null : scores(validation, adapted, true, missing);
                Examples tests = prepared.test();
                test = tests == null ? null : scores(tests, adapted, true, missing);
            }
            RunReport report = new RunReport(
                    prepared.adapter(),
                    prepared.taskSpec(),
                    prepared.notes(),
                    result,
                    before,
                    after,
                    test,
                    meter.read(),
                    curves,
                    resolved);
            boolean didNothing = result.steps() == result.startStep() && Files.exists(folder.resolve("report.json"));
            if (saved != null && !didNothing) {
                report.write(folder);
            } else if (saved != null) {
                listener.onNotice("The run was finished already: its report stays as it is");
            } else {
                listener.onNotice(
                        result.steps() == 0
                                ? "Interrupted before the first step was done; the same command begins anew"
                                : "Interrupted at step " + result.steps()
                                        + "; the same command goes on from the checkpoint in " + folder);
            }
            return new RunResult(folder, result, before, after, test, report.toJson());
        }
    }

    /** The run's way to read its rows, for a later scoring of other rows with the adapter. */
    private DataMetadata rows() {
        RunConfig config = prepared.config();
        TaskSpec taskSpec = prepared.taskSpec();
        return new DataMetadata(
                DataFiles.of(config.data(), config.goal()).options().columns(),
                taskSpec.knows("loss_on") ? config.goal().lossOn() : null,
                taskSpec.isImages() ? null : (Integer) prepared.maxLength(),
                config.goal().overflow());
    }

    private Predictor predictor(Examples examples) {
        return new Predictor(prepared.adapter().base(), examples, prepared.evalBatchSize(), listener::isStopRequested);
    }

    /** @param interrupted what a person is told where this is abandoned */
    private Scores scores(Examples examples, Hooks hooks, boolean intervals, String interrupted) {
        try {
            return prepared.scorer().score(predictor(examples), hooks, intervals);
        } catch (CancellationException abandoned) {
            throw (CancellationException) new CancellationException(interrupted).initCause(abandoned);
        }
    }

    private List<TrainingListener> listeners(Curves curves, MemoryLimit limit) {
        List<TrainingListener> listeners = new ArrayList<>(List.of(listener, curves, limit));
        Path logs = folder.resolve("logs");
        for (OutputOptions.Log log : prepared.config().output().reportTo()) {
            TrainingListener listener = switch (log) {
                case CSV -> new CsvLog(logs);
                case JSONL -> new JsonLinesLog(logs.resolve("events.jsonl"));
                case TENSORBOARD -> new TensorBoardLog(logs);
            };
            listeners.add(new ThrottledListener(prepared.config().output().loggingSteps(), listener));
        }
        return listeners;
    }
}
