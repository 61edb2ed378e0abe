package dev.graft.eval.metrics;

/**
 * Means and central second moments of pairs in one pass, stable where the mean is large against the spread (Welford
 * 1962).
 */
final class Moments {

    private long count;
    private double meanX;
    private double meanY;
    private double squaresX;
    private double squaresY;
    private double products;

    void add(double x, double y) {
        count++;
        double dx = x - meanX;
        double dy = y - meanY;
        meanX += dx / count;
        meanY += dy / count;
        squaresX += dx * (x - meanX);
        squaresY += dy * (y - meanY);
        products += dx * (y - meanY);
    }

    long count() {
        return count;
    }

    /** The sum of squared distances of x from its mean. */
    double squaresX() {
        return squaresX;
    }

    /** Pearson's r, NaN if x or y is constant. */
    double correlation() {
        if (squaresX == 0 || squaresY == 0) {
            return Double.NaN;
        }
        double r = products / (Math.sqrt(squaresX) * Math.sqrt(squaresY));
        return Math.max(-1, Math.min(1, r));
    }
}
