package dev.graft.cli.demo;

import dev.graft.cli.Interruption;
import dev.graft.cli.terminal.Figures;
import dev.graft.cli.terminal.ProgressLine;
import dev.graft.cli.terminal.RunStatus;
import dev.graft.eval.demo.Watcher;
import dev.graft.train.TrainingEvent.Stepped;
import java.io.PrintWriter;
import java.time.Duration;

/** Shows how a demonstration goes on. */
final class DemoLine implements Watcher, AutoCloseable {
    private static final int LOGGING_STEPS = 50;

    private final ProgressLine line;
    private String task = "";
    private long before;
    private long startedAt;
    private long first;

    DemoLine(PrintWriter err, boolean live) {
        line = new ProgressLine(err, live, LOGGING_STEPS);
    }

    @Override
    public void says(String text) {
        line.print(text);
    }

    @Override
    public void progress(String what, long done, long total) {
        long now = System.nanoTime();
        if (!what.equals(task) || done <= before) {
            task = what;
            startedAt = now;
            first = done;
        }
        before = done;
        String text = done + "/" + total + " " + what;
        if (done > first) {
            Duration remaining = Duration.ofNanos((now - startedAt) * (total - done) / (done - first));
            text += "  " + Figures.duration(remaining) + " left";
        }
        line.show(text);
    }

    @Override
    public void step(Stepped step) {
        line.update(RunStatus.of(step));
    }

    @Override
    public boolean interrupted() {
        return Interruption.requested();
    }

    @Override
    public void close() {
        line.close();
    }
}
