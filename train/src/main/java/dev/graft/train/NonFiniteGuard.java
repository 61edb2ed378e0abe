package dev.graft.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;

/**
 * Stops a run whose loss or gradient is NaN or infinite. A single bad step is skipped, since one broken row can cause it; when the
 * steps in a row reach the limit, nothing will get better and the run ends with the steps and rows named. The parameters are as they
 * were before the first of them.
 */
public final class NonFiniteGuard {
    private final int limit;
    private final List<String> skipped = new ArrayList<>();

    /**
     * @param limit non-finite steps in a row that end the run, at least 1
     */
    public NonFiniteGuard(int limit) {
        if (limit < 1) {
            throw new IllegalArgumentException("limit is " + limit + ", expected 1 or more");
        }
        this.limit = limit;
    }

    /**
     * Whether the optimiser may apply this step's gradients.
     *
     * @param rows says where the rows of the step come from, such as {@code train.jsonl:17}
     * @throws TrainingException when the limit is reached
     */
    public boolean accepts(long step, double loss, double gradientNorm, Supplier<List<String>> rows) {
        if (Double.isFinite(loss) && Double.isFinite(gradientNorm)) {
            skipped.clear();
            return true;
        }
        skipped.add(
                "step " + step + ": loss " + loss + ", gradient norm " + gradientNorm + ", rows " + shown(rows.get()));
        if (skipped.size() >= limit) {
            throw new TrainingException("training stopped at step " + step + ", " + skipped.size()
                    + " step(s) in a row were not finite; the parameters are as before them.\n  "
                    + String.join("\n  ", skipped)
                    + "\nA lower learning_rate, more warm-up, gradient clipping or dtype fp32 usually helps; look at"
                    + " the rows first.");
        }
        return false;
    }

    private static String shown(List<String> rows) {
        int most = 8;
        String[] first = rows.stream().limit(most).toArray(String[]::new);
        return Arrays.toString(first) + (rows.size() > most ? " and " + (rows.size() - most) + " more" : "");
    }
}
