package dev.graft.eval.compare;

import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.TrainingListener;
import java.util.ArrayList;
import java.util.List;

/** Records the losses and times of a run's steps. The first two steps do not count in the times. */
final class StepTimer implements TrainingListener {
    private static final int WARM_UP = 2;

    private final List<Double> seconds = new ArrayList<>();
    private final List<Double> losses = new ArrayList<>();
    private long tokens;
    private long last = System.nanoTime();

    @Override
    public void onStep(Stepped stepped) {
        long now = System.nanoTime();
        losses.add(stepped.loss());
        if (losses.size() > WARM_UP) {
            seconds.add((now - last) / 1e9);
            tokens += stepped.tokens();
        }
        last = now;
    }

    List<Double> losses() {
        return losses;
    }

    /** Returns the median of the seconds per step; 0 without a step that counts. */
    double median() {
        double[] sorted = seconds.stream().mapToDouble(value -> value).sorted().toArray();
        return sorted.length == 0 ? 0 : sorted[sorted.length / 2];
    }

    double tokensPerSecond() {
        double all = seconds.stream().mapToDouble(value -> value).sum();
        return all == 0 ? 0 : tokens / all;
    }
}
