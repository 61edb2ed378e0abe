package dev.graft.cli.train;

import dev.graft.cli.Interruption;
import dev.graft.cli.config.Memory;
import dev.graft.cli.config.ResolvedConfig;
import dev.graft.cli.config.RunConfig;
import dev.graft.cli.terminal.Figures;
import dev.graft.cli.terminal.ProgressLine;
import dev.graft.cli.terminal.Terminal;
import dev.graft.eval.cost.CostMeter;
import dev.graft.eval.run.Curves;
import dev.graft.eval.run.RowsRecord;
import dev.graft.eval.run.RunData;
import dev.graft.eval.run.RunReport;
import dev.graft.eval.run.Scores;
import dev.graft.eval.run.ServingRecord;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Json;
import dev.graft.models.Task;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.TaskHooks;
import dev.graft.train.Evaluation;
import dev.graft.train.Predictor;
import dev.graft.train.TrainResult;
import dev.graft.train.Trainer;
import dev.graft.train.TrainingEvent.Reason;
import dev.graft.train.TrainingException;
import dev.graft.train.TrainingListener;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Goal;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.Overflow;
import dev.graft.train.log.CsvLog;
import dev.graft.train.log.JsonLinesLog;
import dev.graft.train.log.TensorBoardLog;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/** A training run with everything around it: scores before, logs, scores after, the report. */
record TrainRun(Prepared prepared, Path folder, String command, PrintWriter err) {

    /** What a run came to, for programs and for people. */
    record Outcome(Reason reason, ObjectNode report, String text) {
        String shown(boolean json) {
            return json ? Json.pretty(report) + "\n" : reason == Reason.INTERRUPTED ? "" : text;
        }
    }

    /** @throws CancellationException if it was interrupted before or after its steps */
    Outcome run() {
        OutputFolder output = OutputFolder.of(prepared.config());
        output.prepare();
        String resolved = ResolvedConfig.write(prepared.config(), command);
        AtomicWrite.text(folder.resolve("config.yaml"), resolved);
        Curves curves = new Curves(folder.resolve("logs/events.jsonl"));
        Memory most = prepared.config().economy().memoryLimit();
        MemoryLimit limit = new MemoryLimit(most == null ? Long.MAX_VALUE : most.bytes());
        try (CostMeter meter = CostMeter.start();
                ProgressLine line = new ProgressLine(
                        err, Terminal.isLive(), prepared.config().output().loggingSteps())) {
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
            limit.giveBack();
            Evaluation evaluation =
                    validation == null ? null : prepared.scorer().evaluation(predictor(validation));
            ServingRecord serving = ServingRecord.of(
                            prepared.task(),
                            prepared.loading().base(),
                            prepared.loading().files())
                    .withTasks(prepared.tasks().field(), prepared.tasks().names())
                    .withRows(rows());
            TrainResult result;
            try (Interruption.Work saving =
                    Interruption.awaited(() -> line.print("Stopping after the batch under way and saving a checkpoint;"
                            + " Ctrl-C again ends at once, without it"))) {
                result = new Trainer(
                                prepared.settings(),
                                prepared.adapter(),
                                prepared.train(),
                                evaluation,
                                folder,
                                listeners(line, curves, limit),
                                serving::write)
                        .run(output.from(), () -> Interruption.requested() || limit.passed() != null);
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
                    prepared.task(),
                    prepared.notes(),
                    result,
                    before,
                    after,
                    test,
                    meter.read(),
                    curves,
                    resolved);
            boolean didNothing = result.steps() == result.from() && Files.exists(folder.resolve("report.json"));
            if (saved != null && !didNothing) {
                report.write(folder);
            } else if (saved != null) {
                line.print("The run was finished already: its report stays as it is");
            } else {
                line.print(
                        result.steps() == 0
                                ? "Interrupted before the first step was done; the same command begins anew"
                                : "Interrupted at step " + result.steps()
                                        + "; the same command goes on from the checkpoint in " + folder);
            }
            return new Outcome(result.reason(), report.toJson(), text(result, before, after, test));
        }
    }

    /** How the run reads its rows, for who scores others with the adapter. */
    private RowsRecord rows() {
        RunConfig config = prepared.config();
        RunData task = prepared.task();
        boolean chosen = task.task() == Task.CAUSAL_LM && task.goal().equals(Goal.TARGETS);
        RunConfig.Overflow wanted = config.goal().overflow();
        return new RowsRecord(
                DataFiles.of(config.data(), config.goal()).options().columns(),
                chosen ? LossOn.valueOf(config.goal().lossOn().name()) : null,
                task.isImages() ? null : (Integer) prepared.maxLength(),
                wanted == null ? null : Overflow.valueOf(wanted.name()));
    }

    private Predictor predictor(Examples examples) {
        return new Predictor(prepared.adapter().base(), examples, prepared.evalBatchSize(), Interruption::requested);
    }

    /** @param interrupted what a person is told where this is abandoned */
    private Scores scores(Examples examples, Hooks hooks, boolean intervals, String interrupted) {
        try {
            return prepared.scorer().score(predictor(examples), hooks, intervals);
        } catch (CancellationException abandoned) {
            throw (CancellationException) new CancellationException(interrupted).initCause(abandoned);
        }
    }

    private List<TrainingListener> listeners(ProgressLine line, Curves curves, MemoryLimit limit) {
        List<TrainingListener> listeners = new ArrayList<>(List.of(new LiveLine(line), curves, limit));
        Integer profiled = prepared.config().economy().profile();
        if (profiled != null) {
            listeners.add(new ProfileView(profiled, line::print));
        }
        Path logs = folder.resolve("logs");
        for (RunConfig.Log log : prepared.config().output().reportTo()) {
            TrainingListener listener = switch (log) {
                case CSV -> new CsvLog(logs);
                case JSONL -> new JsonLinesLog(logs.resolve("events.jsonl"));
                case TENSORBOARD -> new TensorBoardLog(logs);
            };
            listeners.add(new EveryFew(prepared.config().output().loggingSteps(), listener));
        }
        return listeners;
    }

    private String text(TrainResult result, @Nullable Scores before, @Nullable Scores after, @Nullable Scores test) {
        StringBuilder text = new StringBuilder("\n");
        line(text, "validation before", before);
        line(text, "validation", after);
        line(text, "test", test);
        text.append(String.format(
                Locale.ROOT,
                "%,d steps in %s (%s)%n",
                result.steps(),
                Figures.duration(result.elapsed()),
                Prepared.name(result.reason()).replace('_', ' ')));
        text.append("adapter  ").append(result.adapter()).append('\n');
        text.append("report   ").append(folder.resolve("report.html")).append('\n');
        return text.toString();
    }

    private static void line(StringBuilder text, String where, @Nullable Scores scores) {
        if (scores == null) {
            return;
        }
        text.append(where).append(": ").append(ScoreLine.of(scores)).append('\n');
    }
}
