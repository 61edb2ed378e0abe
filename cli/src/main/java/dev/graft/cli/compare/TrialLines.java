package dev.graft.cli.compare;

import dev.graft.cli.terminal.Figures;
import dev.graft.eval.compare.Comparison;
import dev.graft.eval.compare.Outcome;
import dev.graft.eval.compare.Trial;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;

/** A line for each trial of a comparison, with what is left to do. */
public final class TrialLines implements Comparison.Watcher {
    private final PrintWriter err;
    private final long start = System.nanoTime();
    private int before = -1;

    public TrialLines(PrintWriter err) {
        this.err = err;
    }

    @Override
    public void starts(Trial trial, int done, int total) {
        if (before < 0) {
            before = done;
            if (done > 0) {
                err.println(done + " of " + total + " trials are done already");
            }
        }
    }

    @Override
    public void ends(Outcome outcome, int done, int total) {
        Trial trial = outcome.trial();
        long each = (System.nanoTime() - start) / Math.max(1, done - before);
        String metric = outcome.experiment().path("metric").asString();
        String said = outcome.failure() != null
                ? outcome.failure().lines().findFirst().orElse("")
                : String.format(
                        Locale.ROOT, "%s %.4f", metric, outcome.validation().get(metric));
        err.printf(
                Locale.ROOT,
                "%d/%d  %s  rate %.1e  seed %d  %s  %s left%n",
                done,
                total,
                trial.method(),
                trial.rate(),
                trial.seed(),
                said,
                Figures.duration(Duration.ofNanos(each * (total - done))));
        err.flush();
    }
}
