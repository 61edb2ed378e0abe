package dev.graft.eval.metrics;

/**
 * McNemar's exact test of two models on the same rows: whether the rows that only one of them gets right are shared out more
 * unevenly than a coin would.
 *
 * @param onlyFirst rows that the first model alone gets right
 * @param onlySecond rows that the second model alone gets right
 */
public record McNemar(long onlyFirst, long onlySecond) {

    /** @throws IllegalArgumentException if the models weren't asked the same number of rows */
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

    /** The two-sided chance of a division at least as uneven if both models were equally good; 1 if they never differ. */
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
