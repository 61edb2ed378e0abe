package dev.graft.eval.metrics;

/**
 * A row of regression: the true value and the predicted one.
 *
 * @throws IllegalArgumentException if either is NaN or infinite
 */
public record ValuePrediction(double target, double prediction) {

    public ValuePrediction {
        requireFinite("target", target);
        requireFinite("prediction", prediction);
    }

    private static void requireFinite(String what, double value) {
        if (!Double.isFinite(value)) {
            throw new IllegalArgumentException(what + " is " + value + ", expected a finite number");
        }
    }
}
