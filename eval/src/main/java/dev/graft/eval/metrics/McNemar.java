package dev.graft.eval.metrics;

/**
 * McNemar's exact test of two models on the same rows: a binomial test on the rows that only one of them predicts correctly.
 *
 * @param onlyFirst rows that the first model alone gets right
 * @param onlySecond rows that the second model alone gets right
 */
public record McNemar(long onlyFirst, long onlySecond) {

    /**
     * Counts the rows of two models.
     *
     * @param firstRight for each row whether the first model is right
     * @param secondRight for each row whether the second model is right
     * @throws IllegalArgumentException if the arrays differ in length
     */
    public static McNemar of(boolean[] firstRight, boolean[] secondRight) {
        if (firstRight.length != secondRight.length) {
            throw new IllegalArgumentException(
                    "one model has " + firstRight.length + " rows, the other " + secondRight.length);
        }
        long first = 0;
        long second = 0;
        for (int i = 0; i < firstRight.length; i++) {
            first += firstRight[i] && !secondRight[i] ? 1 : 0;
            second += secondRight[i] && !firstRight[i] ? 1 : 0;
        }
        return new McNemar(first, second);
    }

    /** Returns the two-sided p-value under the hypothesis that both models are equally good; 1 if they never differ. */
    public double pValue() {
        long n = onlyFirst + onlySecond;
        long fewer = Math.min(onlyFirst, onlySecond);
        double logTerm = -n * Math.log(2);
        double tail = 0;
        for (long i = 0; i <= fewer; i++) {
            tail += Math.exp(logTerm);
            logTerm += Math.log(n - i) - Math.log(i + 1);
        }
        return Math.min(1, 2 * tail);
    }
}
