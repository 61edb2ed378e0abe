package dev.graft.eval.weights;

import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.util.function.ToDoubleFunction;

/**
 * Minimises a function without gradients by a (1+1) evolution strategy with the one-fifth rule (Rechenberg, 1973): the best point so far is
 * moved by normal steps, whose size grows after a success and shrinks after a failure, so that about one in five succeeds.
 *
 * @param steps the number of points to try besides the first
 * @param bound the largest absolute value of a coordinate
 * @param size the standard deviation of the first steps
 */
record EvolutionStrategy(int steps, double bound, double size, long seed) {
    /** A point and the function there. */
    @SuppressWarnings("ArrayRecordComponent") // made once and handed on
    record Point(double[] at, double value) {}

    /** The best point found from zero on. */
    Point minimum(int coordinates, ToDoubleFunction<double[]> function) {
        double[] start = new double[coordinates];
        Point best = new Point(start, function.applyAsDouble(start));
        double deviation = size;
        for (int step = 0; step < steps; step++) {
            double[] tried = moved(best.at, deviation, step);
            double value = function.applyAsDouble(tried);
            boolean success = value <= best.value;
            if (success) {
                best = new Point(tried, value);
            }
            deviation *= success ? Math.exp(0.8) : Math.exp(-0.2);
        }
        return best;
    }

    private double[] moved(double[] from, double deviation, int step) {
        double[] normal = Tensors.doubles(Rng.of(seed, "step " + step).normal(0, deviation, from.length));
        double[] moved = new double[from.length];
        for (int i = 0; i < from.length; i++) {
            moved[i] = Math.max(-bound, Math.min(bound, from[i] + normal[i]));
        }
        return moved;
    }
}
