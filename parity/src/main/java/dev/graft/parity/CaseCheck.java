package dev.graft.parity;

import dev.graft.formats.InputException;
import dev.graft.models.checkpoints.TensorConversion;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** The comparisons of one case: remembers the one nearest to its limit and what differs. */
final class CaseCheck {
    private static final int SHOWN = 3;

    private final List<String> differences = new ArrayList<>();
    private int comparisons;
    private double error;
    private double limit;
    private double worst = -1;

    /** Compares values of any type as doubles. */
    void tensor(String what, Tensor got, Tensor expected, Tolerance tolerance) {
        comparisons++;
        long[] shape = Tensors.shape(got);
        if (!Arrays.equals(shape, Tensors.shape(expected))) {
            fail(what + " has shape " + Arrays.toString(shape) + ", expected "
                    + Arrays.toString(Tensors.shape(expected)));
            return;
        }
        if (!TensorConversion.dtype(expected).isFloat()) {
            same(what, Arrays.toString(Tensors.longs(got)), Arrays.toString(Tensors.longs(expected)));
            return;
        }
        values(what, Tensors.doubles(got), Tensors.doubles(expected), tolerance);
    }

    /** Compares numbers; the scale of the tolerance is the largest expected one. */
    void values(String what, double[] got, double[] expected, Tolerance tolerance) {
        comparisons++;
        if (got.length != expected.length) {
            fail(what + " has " + got.length + " values, expected " + expected.length);
            return;
        }
        double largest = 0;
        double scale = 0;
        int at = 0;
        for (int i = 0; i < got.length; i++) {
            double difference = difference(got[i], expected[i]);
            scale = Math.max(scale, Math.abs(expected[i]));
            if (difference > largest) {
                largest = difference;
                at = i;
            }
        }
        double allowed = tolerance.limit(Double.isFinite(scale) ? scale : 0);
        record(largest, allowed);
        if (largest > allowed) {
            fail(what + (got.length > 1 ? "[" + at + "]" : "") + " is " + got[at] + ", expected " + expected[at]
                    + ", allowed difference " + allowed);
        }
    }

    void number(String what, double got, double expected, Tolerance tolerance) {
        values(what, new double[] {got}, new double[] {expected}, tolerance);
    }

    /** Compares what must be equal. */
    void same(String what, @Nullable Object got, @Nullable Object expected) {
        comparisons++;
        if (!Objects.equals(got, expected)) {
            fail(what + " is " + shown(got) + ", expected " + shown(expected));
        }
    }

    void that(boolean condition, String otherwise) {
        comparisons++;
        if (!condition) {
            fail(otherwise);
        }
    }

    /** Compares the message of a refusal: it must contain a word. */
    void names(InputException refusal, String word, String otherwise) {
        String message = refusal.getMessage();
        that(message != null && message.contains(word), otherwise);
    }

    private static double difference(double got, double expected) {
        if (Double.isNaN(got) || Double.isNaN(expected)) {
            return Double.isNaN(got) && Double.isNaN(expected) ? 0 : Double.POSITIVE_INFINITY;
        }
        return got == expected ? 0 : Math.abs(got - expected);
    }

    private void record(double difference, double allowed) {
        double share = difference == 0 ? 0 : allowed == 0 ? Double.POSITIVE_INFINITY : difference / allowed;
        if (share > worst) {
            worst = share;
            error = difference;
            limit = allowed;
        }
    }

    private void fail(String difference) {
        differences.add(difference);
    }

    private static String shown(@Nullable Object value) {
        String text = String.valueOf(value);
        return text.length() <= 300 ? text : text.substring(0, 297) + "...";
    }

    CaseResult result(String id) {
        if (comparisons == 0) {
            return new CaseResult(id, CaseResult.Status.FAILED, 0, 0, "nothing was compared");
        }
        if (differences.isEmpty()) {
            return new CaseResult(id, CaseResult.Status.PASSED, error, limit, "");
        }
        String more = differences.size() > SHOWN ? "; and " + (differences.size() - SHOWN) + " more" : "";
        return new CaseResult(
                id,
                CaseResult.Status.FAILED,
                error,
                limit,
                String.join("; ", differences.subList(0, Math.min(SHOWN, differences.size()))) + more);
    }
}
