package dev.graft.train;

import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Stops a run whose loss or gradient is NaN or infinite, or whose loss jumps up. A single bad step is skipped, since one broken row can
 * cause it. When consecutive bad steps reach the limit, the run ends with a message that names the steps and rows. The parameters are those
 * before the first of them.
 *
 * <p>A loss has jumped if it is above a multiple of the median of the last {@value #WINDOW}, and above the first one.
 */
final class LossGuard {
    static final int WINDOW = 32;
    private static final int FEWEST = 8;

    private final int limit;
    private final double spike;

    /** The first loss, then the last ones, the newest at the end; NaN where there is none yet. */
    private final Tensor losses;

    private final List<String> skipped = new ArrayList<>();

    /**
     * A guard at the beginning of a run.
     *
     * @param limit bad steps in a row that end the run, at least 1
     * @param spike the multiple of the median; 0 for never
     */
    LossGuard(int limit, double spike) {
        if (limit < 1) {
            throw new IllegalArgumentException("limit is " + limit + ", expected 1 or more");
        }
        this.limit = limit;
        this.spike = spike;
        double[] none = new double[WINDOW + 1];
        Arrays.fill(none, Double.NaN);
        try (Scope scope = new Scope()) {
            losses = scope.release(Tensors.zeros(ScalarType.Double, none.length));
            Tensors.fill(losses, none);
        }
    }

    /** The losses seen, {@code [33]} in double precision, for a checkpoint. */
    Tensor losses() {
        return losses;
    }

    /**
     * Returns whether the optimiser may apply this step's gradients.
     *
     * @param cause names the first tensor that isn't finite
     * @param rows returns the places of the step's rows, such as {@code train.jsonl:17}
     * @throws TrainingException when the limit is reached
     */
    boolean accepts(long step, double loss, double gradientNorm, Supplier<String> cause, Supplier<List<String>> rows) {
        String numbers = "step " + step + ": loss " + loss + ", gradient norm " + gradientNorm;
        if (!Double.isFinite(loss) || !Double.isFinite(gradientNorm)) {
            skip(step, "not finite", numbers + "; " + cause.get(), rows);
            return false;
        }
        double[] seen = Tensors.doubles(losses);
        double median = median(seen);
        if (spike > 0 && loss > spike * median && loss > seen[0]) {
            skip(step, "far above the losses before", numbers + "; the median before is " + median, rows);
            return false;
        }
        skipped.clear();
        if (Double.isNaN(seen[0])) {
            seen[0] = loss;
        }
        System.arraycopy(seen, 2, seen, 1, WINDOW - 1);
        seen[WINDOW] = loss;
        Tensors.fill(losses, seen);
        return true;
    }

    /** NaN while there are few. */
    private static double median(double[] seen) {
        double[] sorted = Arrays.stream(seen, 1, seen.length)
                .filter(Double::isFinite)
                .sorted()
                .toArray();
        return sorted.length < FEWEST ? Double.NaN : sorted[sorted.length / 2];
    }

    private void skip(long step, String what, String line, Supplier<List<String>> rows) {
        skipped.add(line + ", rows " + shown(rows.get()));
        if (skipped.size() >= limit) {
            throw new TrainingException("training stopped at step " + step + ", " + skipped.size()
                    + " step(s) in a row were " + what + "; the parameters are as before them, and so is the last"
                    + " checkpoint.\n  "
                    + String.join("\n  ", skipped)
                    + "\nA lower learning_rate, more warm-up, gradient clipping or dtype fp32 usually helps; look at"
                    + " the rows first.");
        }
    }

    private static String shown(List<String> rows) {
        int most = 8;
        String[] first = rows.stream().limit(most).toArray(String[]::new);
        return Arrays.toString(first) + (rows.size() > most ? " and " + (rows.size() - most) + " more" : "");
    }
}
