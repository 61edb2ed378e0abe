package dev.graft.eval.metrics;

import java.util.Arrays;

/**
 * Counts of rows by true class (matrix row) and predicted class (column), {@code [classes, classes]}, and the scores
 * that follow from them.
 *
 * <pre>{@code
 * var confusion = new ConfusionMatrix(25);
 * confusion.add(new ClassPrediction(3, 7));
 * confusion.count(3, 7); // 1
 * }</pre>
 */
public final class ConfusionMatrix {

    private final long[][] counts;
    private long total;

    public ConfusionMatrix(int classes) {
        if (classes < 1) {
            throw new IllegalArgumentException("a confusion matrix needs at least 1 class, got " + classes);
        }
        counts = new long[classes][classes];
    }

    /**
     * Counts a row.
     *
     * @throws IllegalArgumentException if a class is not in 0 .. classes - 1
     */
    public void add(ClassPrediction row) {
        counts[inRange("label", row.label())][inRange("prediction", row.prediction())]++;
        total++;
    }

    public int classes() {
        return counts.length;
    }

    public long count(int label, int prediction) {
        return counts[label][prediction];
    }

    /** Returns a copy of the counts, {@code [label][prediction]}. */
    public long[][] counts() {
        return Arrays.stream(counts).map(long[]::clone).toArray(long[][]::new);
    }

    /** Returns the number of rows counted. */
    public long total() {
        return total;
    }

    /** Returns the number of rows of a class. */
    public long support(int label) {
        return Arrays.stream(counts[label]).sum();
    }

    /** Returns the number of rows predicted as a class. */
    public long predicted(int prediction) {
        long sum = 0;
        for (long[] row : counts) {
            sum += row[prediction];
        }
        return sum;
    }

    /** Returns the share of rows whose prediction is the label, in [0, 1]. */
    public double accuracy() {
        requireRows("accuracy");
        long correct = 0;
        for (int i = 0; i < classes(); i++) {
            correct += counts[i][i];
        }
        return (double) correct / total;
    }

    /** Precision, recall and F1 of one class against the rest. */
    public ClassScores scores(int label) {
        return ClassScores.of(counts[label][label], predicted(label), support(label));
    }

    /**
     * Returns precision, recall and F1, averaged over the classes.
     *
     * @throws IllegalArgumentException for {@link Average#BINARY} with other than two classes
     */
    public ClassScores scores(Average average) {
        requireRows(average.prefixed("f1"));
        int classes = classes();
        long[] truePositives = new long[classes];
        long[] predicted = new long[classes];
        long[] support = new long[classes];
        for (int i = 0; i < classes; i++) {
            truePositives[i] = counts[i][i];
            predicted[i] = predicted(i);
            support[i] = support(i);
        }
        return ClassScores.average(average, truePositives, predicted, support);
    }

    /**
     * Returns the Matthews correlation coefficient R_K of Gorodkin (2004), in [-1, 1]; 0 if labels or predictions are all of one class.
     */
    public double matthews() {
        requireRows("matthews");
        double n = total;
        double correct = 0;
        double both = 0;
        double predictions = 0;
        double labels = 0;
        for (int i = 0; i < classes(); i++) {
            double predicted = predicted(i);
            double support = support(i);
            correct += counts[i][i];
            both += predicted * support;
            predictions += predicted * predicted;
            labels += support * support;
        }
        double scale = Math.sqrt(n * n - predictions) * Math.sqrt(n * n - labels);
        return ClassScores.ratio(correct * n - both, scale);
    }

    /** Returns the mean recall of the classes that occur, in [0, 1]. */
    public double balancedAccuracy() {
        requireRows("balanced_accuracy");
        double sum = 0;
        int occurring = 0;
        for (int i = 0; i < classes(); i++) {
            if (support(i) > 0) {
                sum += (double) counts[i][i] / support(i);
                occurring++;
            }
        }
        return sum / occurring;
    }

    /** Cohen's kappa: the agreement beyond chance, in [-1, 1]; NaN if labels and predictions have one class only. */
    public double kappa() {
        requireRows("kappa");
        double observed = 0;
        double expected = 0;
        for (int i = 0; i < classes(); i++) {
            for (int j = 0; j < classes(); j++) {
                if (i != j) {
                    observed += counts[i][j];
                    expected += (double) support(i) * predicted(j) / total;
                }
            }
        }
        return expected == 0 ? Double.NaN : 1 - observed / expected;
    }

    private void requireRows(String score) {
        if (total == 0) {
            throw new NoRowsException(score);
        }
    }

    private int inRange(String what, int value) {
        if (value < 0 || value >= classes()) {
            throw new IllegalArgumentException(what + " " + value + " is no class, expected 0 to " + (classes() - 1));
        }
        return value;
    }
}
