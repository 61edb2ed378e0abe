package dev.graft.train.schedules;

import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Lowers the learning rate when a score stops improving, as PyTorch's {@code ReduceLROnPlateau}. Its state is a tensor, so that a
 * checkpoint can save it.
 *
 * <pre>{@code
 * PlateauTracker plateau = new PlateauTracker(settings, false);
 * plateau.observe(0.71);
 * double learningRate = 1e-3 * plateau.factor();
 * }</pre>
 */
public final class PlateauTracker {
    private static final int BEST = 0;
    private static final int STALE = 1;
    private static final int COOLING = 2;
    private static final int FACTOR = 3;

    private final Schedule.ReduceOnPlateau settings;
    private final boolean greater;
    private final Tensor state;

    /**
     * Creates a tracker before the first score.
     *
     * @param greaterIsBetter the direction if the settings don't set it
     */
    public PlateauTracker(Schedule.ReduceOnPlateau settings, boolean greaterIsBetter) {
        this.settings = settings;
        Boolean mode = settings.greater();
        greater = mode == null ? greaterIsBetter : mode;
        try (Scope scope = new Scope()) {
            state = scope.release(Tensors.zeros(ScalarType.Double, 4));
        }
        set(BEST, greater ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY);
        set(FACTOR, 1);
    }

    /** Returns the present factor on the learning rate. */
    public double factor() {
        return get(FACTOR);
    }

    /** Returns the state, {@code [4]}; a checkpoint copies it and writes into it. */
    public Tensor state() {
        return state;
    }

    /** Records the score of an evaluation. NaN counts as no progress. */
    public void observe(double score) {
        if (isBetter(score, get(BEST))) {
            set(BEST, score);
            set(STALE, 0);
        } else {
            set(STALE, get(STALE) + 1);
        }
        if (get(COOLING) > 0) {
            set(COOLING, get(COOLING) - 1);
            set(STALE, 0);
        }
        if (get(STALE) > settings.patience()) {
            double before = settings.learningRate() * factor();
            double after = Math.max(before * settings.decay(), settings.lowest());
            if (before - after > settings.eps()) {
                set(FACTOR, after / settings.learningRate());
            }
            set(COOLING, settings.cooldown());
            set(STALE, 0);
        }
    }

    private boolean isBetter(double score, double best) {
        double threshold = settings.threshold();
        double margin = settings.relative() ? best * threshold : threshold;
        if (Double.isInfinite(best)) {
            return greater ? score > best : score < best;
        }
        return greater ? score > best + margin : score < best - margin;
    }

    private double get(int field) {
        return values().get(field);
    }

    private void set(int field, double value) {
        values().put(field, value);
    }

    private DoublePointer values() {
        return new DoublePointer(state.data_ptr());
    }
}
