package dev.graft.train.loss;

/** What a model says about one row, beside what the row says itself. */
@SuppressWarnings("ArrayRecordComponent") // made once for one row, never shared
public sealed interface Prediction {
    /** The number of the row in its data set. */
    int row();

    /**
     * One class.
     *
     * @param target the row's class
     * @param logits one for each class
     */
    record OneClass(int row, int target, float[] logits) implements Prediction {
        /** The class with the largest logit, the first of equals. */
        public int predicted() {
            int best = 0;
            for (int i = 1; i < logits.length; i++) {
                if (logits[i] > logits[best]) {
                    best = i;
                }
            }
            return best;
        }

        /** The softmax of the logits. */
        public double[] probabilities() {
            double most = logits[predicted()];
            double[] probabilities = new double[logits.length];
            double sum = 0;
            for (int i = 0; i < logits.length; i++) {
                sum += probabilities[i] = Math.exp(logits[i] - most);
            }
            for (int i = 0; i < logits.length; i++) {
                probabilities[i] /= sum;
            }
            return probabilities;
        }
    }

    /**
     * Any number of classes.
     *
     * @param target whether the row has each class
     * @param logits one for each class
     */
    record ManyClasses(int row, boolean[] target, float[] logits) implements Prediction {
        /** The classes with a probability above one half. */
        public boolean[] predicted() {
            boolean[] predicted = new boolean[logits.length];
            for (int i = 0; i < logits.length; i++) {
                predicted[i] = logits[i] > 0;
            }
            return predicted;
        }
    }

    /**
     * Two answers.
     *
     * @param loss of the pair
     * @param chosen the reward of the chosen answer
     * @param rejected the reward of the rejected one
     */
    record Pair(int row, double loss, double chosen, double rejected) implements Prediction {}

    /**
     * An answer that was judged.
     *
     * @param isGood whether it is a good one
     * @param loss of the row
     * @param reward β times the log-ratio of the model with its adapter to that without
     */
    record Judged(int row, boolean isGood, double loss, double reward) implements Prediction {}

    /** A number. */
    record Value(int row, float target, float predicted) implements Prediction {}

    /**
     * The labelled tokens of a row.
     *
     * @param negativeLogLikelihood summed over them, in nats
     * @param tokens how many they are
     * @param correct on how many of them the most probable token was the label
     */
    record Tokens(int row, double negativeLogLikelihood, int tokens, int correct) implements Prediction {}
}
