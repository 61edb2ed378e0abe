package dev.graft.train.loss;

import dev.graft.train.data.Passage;
import java.util.List;

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

    /**
     * The classes of a row's labelled tokens.
     *
     * @param tokens in their order
     */
    record Tags(int row, List<OneClass> tokens) implements Prediction {
        public Tags {
            tokens = List.copyOf(tokens);
        }
    }

    /**
     * An answer in a text.
     *
     * @param none the sum of the logits that say that the text doesn't answer, the least of all windows
     * @param score the sum of those of the answer
     * @param probability of the answer's first and last token, in its window
     * @param from where the answer begins in the context, in code points
     * @param to where it ends
     */
    record Answer(int row, Passage passage, double none, double score, double probability, int from, int to)
            implements Prediction {
        /** The better of what two windows say. */
        public Answer or(Answer other) {
            Answer best = other.score > score ? other : this;
            return new Answer(
                    row, best.passage, Math.min(none, other.none), best.score, best.probability, best.from, best.to);
        }

        /**
         * What the text answers.
         *
         * @param mayBeNone whether it may be that it doesn't, which is {@code ""}
         */
        public String text(boolean mayBeNone) {
            return mayBeNone && none > score ? "" : passage.text(from, to);
        }
    }

    /**
     * The classes of an image's points, row by row.
     *
     * @param target 255 where a point has none
     */
    record Points(int row, int[] target, int[] predicted) implements Prediction {}

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
