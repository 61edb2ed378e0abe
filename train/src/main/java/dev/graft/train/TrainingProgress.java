package dev.graft.train;

import java.time.Duration;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Speed and remaining time of a run. Both are bias-corrected exponential moving averages with a half-life of {@value #HALF_LIFE_STEPS}
 * steps, so that the slow first step does not distort the estimate for long.
 *
 * <pre>{@code
 * TrainingProgress progress = new TrainingProgress(checkpoint.step(), totalSteps, System::nanoTime);
 * ...
 * progress.step(batch.realTokens());
 * System.out.println(progress.tokensPerSecond() + " tokens/s, " + progress.remaining() + " left");
 * }</pre>
 */
public final class TrainingProgress {
    private static final int HALF_LIFE_STEPS = 20;
    private static final double KEEP = Math.pow(0.5, 1.0 / HALF_LIFE_STEPS);

    private final LongSupplier nanoClock;
    private final long totalSteps;
    private final long started;
    private long last;
    private long step;
    private double seconds;
    private double tokens;
    private double weight;

    /**
     * @param step the number of steps already done
     * @param nanoClock {@code System::nanoTime}
     */
    public TrainingProgress(long step, long totalSteps, LongSupplier nanoClock) {
        this.step = step;
        this.totalSteps = totalSteps;
        this.nanoClock = nanoClock;
        this.started = nanoClock.getAsLong();
        this.last = started;
    }

    /**
     * Records an optimiser step that ended now and began at the last call of this or of {@link #pause}.
     *
     * @param realTokens the tokens of the step, padding excluded
     */
    public void step(long realTokens) {
        long now = nanoClock.getAsLong();
        seconds = seconds * KEEP + (now - last) / 1e9;
        tokens = tokens * KEEP + realTokens;
        weight = weight * KEEP + 1;
        last = now;
        step++;
    }

    /** Excludes the time since the last step, which went into something else, such as an evaluation. */
    public void pause() {
        last = nanoClock.getAsLong();
    }

    /** Returns tokens per second of training, padding excluded; 0 before the first step. */
    public double tokensPerSecond() {
        return seconds > 0 ? tokens / seconds : 0;
    }

    /** Returns the estimated training time of the remaining steps; null before the first step. */
    public @Nullable Duration remaining() {
        if (weight == 0) {
            return null;
        }
        return Duration.ofNanos((long) (Math.max(0, totalSteps - step) * seconds / weight * 1e9));
    }

    /** Returns the time since this run began, everything included. */
    public Duration elapsed() {
        return Duration.ofNanos(nanoClock.getAsLong() - started);
    }
}
