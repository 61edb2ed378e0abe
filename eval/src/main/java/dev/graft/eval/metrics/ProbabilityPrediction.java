package dev.graft.eval.metrics;

/** A row of classification: the true class and the predicted probability of each class, {@code [classes]}. */
public record ProbabilityPrediction(int label, double[] probabilities) {

    private static final double SUM_TOLERANCE = 1e-3;

    /** @throws IllegalArgumentException if the probabilities don't sum to 1 or there is none for the label */
    public ProbabilityPrediction {
        double sum = 0;
        for (double probability : probabilities) {
            if (!(probability >= 0)) {
                throw new IllegalArgumentException(probability + " is no probability");
            }
            sum += probability;
        }
        if (Math.abs(sum - 1) > SUM_TOLERANCE) {
            throw new IllegalArgumentException("the probabilities of a row sum to " + sum + ", expected 1");
        }
        if (label < 0 || label >= probabilities.length) {
            throw new IllegalArgumentException(
                    "label " + label + " is no class, expected 0 to " + (probabilities.length - 1));
        }
    }

    int best() {
        int best = 0;
        for (int i = 1; i < probabilities.length; i++) {
            best = probabilities[i] > probabilities[best] ? i : best;
        }
        return best;
    }
}
