package dev.graft.run.compare;

import dev.graft.eval.compare.Comparison;
import dev.graft.eval.compare.Trial;
import dev.graft.eval.compare.TrialOutcome;
import dev.graft.run.progress.RunListener;
import dev.graft.run.progress.UnitFormat;
import java.time.Duration;
import java.util.Locale;

/** Reports a line for each trial of a comparison, with the estimated remaining time. */
public final class TrialProgress implements Comparison.TrialListener {
    private final RunListener listener;
    private final int jobs;
    private final long start = System.nanoTime();
    private boolean told;
    private int ended;

    /** Creates the progress of a comparison in a single process. */
    public TrialProgress(RunListener listener) {
        this(listener, 1, true);
    }

    /**
     * @param jobs the number of processes that run trials in parallel
     * @param tells true to report the number of finished trials at the start
     */
    TrialProgress(RunListener listener, int jobs, boolean tells) {
        this.listener = listener;
        this.jobs = jobs;
        this.told = !tells;
    }

    @Override
    public void onTrialStart(Trial trial, int done, int total) {
        if (!told && done > 0) {
            listener.onNotice(done + " of " + total + " trials are done already");
        }
        told = true;
    }

    @Override
    public void onTrialEnd(TrialOutcome outcome, int done, int total) {
        Trial trial = outcome.trial();
        // Of this process alone: another may have been at work for longer.
        long each = (System.nanoTime() - start) / ++ended;
        String metric = outcome.experiment().path("metric").asString();
        String said = outcome.failure() != null
                ? outcome.failure().lines().findFirst().orElse("")
                : String.format(
                        Locale.ROOT, "%s %.4f", metric, outcome.validation().get(metric));
        listener.onNotice(String.format(
                Locale.ROOT,
                "%d/%d  %s  rate %.1e  seed %d  %s  %s left",
                done,
                total,
                trial.method(),
                trial.learningRate(),
                trial.seed(),
                said,
                UnitFormat.duration(Duration.ofNanos(each * (total - done) / jobs))));
    }
}
