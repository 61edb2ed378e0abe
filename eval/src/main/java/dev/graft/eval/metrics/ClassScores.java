package dev.graft.eval.metrics;

/**
 * Precision, recall and F1, each in [0, 1]. A ratio without a denominator is 0, scikit-learn's {@code zero_division=0}.
 */
public record ClassScores(double precision, double recall, double f1) {

    /**
     * Returns the average scores of several classes. The arrays are {@code [classes]}.
     *
     * @param truePositives rows of each class predicted as the class
     * @param predicted rows predicted as each class
     * @param support rows of each class
     */
    public static ClassScores average(Average average, long[] truePositives, long[] predicted, long[] support) {
        int classes = support.length;
        return switch (average) {
            case BINARY -> {
                if (classes != 2) {
                    throw new IllegalArgumentException(
                            "binary average needs 2 classes, got " + classes + "; use macro, micro or weighted");
                }
                yield of(truePositives[1], predicted[1], support[1]);
            }
            case MICRO -> of(sum(truePositives), sum(predicted), sum(support));
            case MACRO, WEIGHTED -> {
                double precision = 0;
                double recall = 0;
                double f1 = 0;
                double total = 0;
                for (int i = 0; i < classes; i++) {
                    double weight = average == Average.MACRO ? 1 : support[i];
                    ClassScores one = of(truePositives[i], predicted[i], support[i]);
                    precision += weight * one.precision;
                    recall += weight * one.recall;
                    f1 += weight * one.f1;
                    total += weight;
                }
                yield new ClassScores(ratio(precision, total), ratio(recall, total), ratio(f1, total));
            }
        };
    }

    public static ClassScores of(long truePositives, long predicted, long support) {
        return new ClassScores(
                ratio(truePositives, predicted),
                ratio(truePositives, support),
                ratio(2.0 * truePositives, (double) predicted + support));
    }

    static double ratio(double numerator, double denominator) {
        return denominator == 0 ? 0 : numerator / denominator;
    }

    private static long sum(long[] counts) {
        long sum = 0;
        for (long count : counts) {
            sum += count;
        }
        return sum;
    }
}
