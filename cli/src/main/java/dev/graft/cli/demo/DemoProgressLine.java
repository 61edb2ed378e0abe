package dev.graft.cli.demo;

import dev.graft.cli.terminal.Interruption;
import dev.graft.cli.terminal.ProgressLine;
import dev.graft.cli.terminal.RunStatus;
import dev.graft.eval.demo.DemoListener;
import dev.graft.run.progress.UnitFormat;
import dev.graft.train.TrainingEvent.Stepped;
import java.io.PrintWriter;
import java.time.Duration;

/** Shows the progress of a demonstration. */
final class DemoProgressLine implements DemoListener, AutoCloseable {
    private static final int LOGGING_STEPS = 50;

    private final ProgressLine line;
    private String task = "";
    private long before;
    private long startedAt;
    private long first;

    DemoProgressLine(PrintWriter err, boolean live) {
        line = new ProgressLine(err, live, LOGGING_STEPS);
    }

    @Override
    public void onMessage(String text) {
        line.print(text);
    }

    @Override
    public void onProgress(String what, long done, long total) {
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
            text += "  " + UnitFormat.duration(remaining) + " left";
        }
        line.show(text);
    }

    @Override
    public void onStep(Stepped step) {
        line.update(RunStatus.of(step));
    }

    @Override
    public boolean isInterrupted() {
        return Interruption.requested();
    }

    @Override
    public void close() {
        line.close();
    }
}
