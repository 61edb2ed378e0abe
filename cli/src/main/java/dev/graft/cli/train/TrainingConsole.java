package dev.graft.cli.train;

import dev.graft.cli.bench.ProfileReport;
import dev.graft.cli.terminal.ConsoleListener;
import dev.graft.cli.terminal.ProgressLine;
import dev.graft.cli.terminal.Terminal;
import dev.graft.run.config.RunConfig;
import dev.graft.train.TrainingEvent.Evaluated;
import dev.graft.train.TrainingEvent.Saved;
import dev.graft.train.TrainingEvent.Started;
import dev.graft.train.TrainingEvent.Stepped;
import java.io.PrintWriter;
import org.jspecify.annotations.Nullable;

/** Shows the steps of a run on standard error, and its profile where one is asked for. */
final class TrainingConsole extends ConsoleListener implements AutoCloseable {
    private final ProgressLine line;
    private final TrainingProgressLine progress;
    private final @Nullable ProfileReport profile;

    TrainingConsole(RunConfig config, PrintWriter err) {
        super(err);
        line = new ProgressLine(err, Terminal.isLive(), config.output().loggingSteps());
        progress = new TrainingProgressLine(line);
        Integer profiled = config.economy().profile();
        profile = profiled == null ? null : new ProfileReport(profiled, line::print);
    }

    @Override
    public void onNotice(String notice) {
        line.print(notice);
    }

    @Override
    public void onStart(Started started) {
        progress.onStart(started);
    }

    @Override
    public void onStep(Stepped stepped) {
        progress.onStep(stepped);
        if (profile != null) {
            profile.onStep(stepped);
        }
    }

    @Override
    public void onEvaluate(Evaluated evaluated) {
        progress.onEvaluate(evaluated);
    }

    @Override
    public void onSave(Saved saved) {
        progress.onSave(saved);
    }

    @Override
    public void close() {
        line.close();
    }
}
