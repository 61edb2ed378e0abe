package dev.graft.cli.compare;

import dev.graft.cli.terminal.Figures;
import dev.graft.eval.compare.Comparison;
import dev.graft.eval.compare.Outcome;
import dev.graft.eval.compare.Trial;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;

/** A line for each trial of a comparison, with how long the rest takes. */
public final class TrialLines implements Comparison.Watcher {
    private final PrintWriter err;
    private final int jobs;
    private final long start = System.nanoTime();
    private boolean told;
    private int ended;

    /** Of the only process. */
    public TrialLines(PrintWriter err) {
        this(err, 1, true);
    }

    /**
     * @param jobs how many processes run trials side by side
     * @param tells whether to say how many are done at the start
     */
    TrialLines(PrintWriter err, int jobs, boolean tells) {
        this.err = err;
        this.jobs = jobs;
        this.told = !tells;
    }

    @Override
    public void starts(Trial trial, int done, int total) {
        if (!told && done > 0) {
            err.println(done + " of " + total + " trials are done already");
        }
        told = true;
    }

    @Override
    public void ends(Outcome outcome, int done, int total) {
        Trial trial = outcome.trial();
        // Of this process alone: another may have been at work for longer.
        long each = (System.nanoTime() - start) / ++ended;
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
                Figures.duration(Duration.ofNanos(each * (total - done) / jobs)));
        err.flush();
    }
}
