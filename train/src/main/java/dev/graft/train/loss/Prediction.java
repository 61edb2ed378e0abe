package dev.graft.train.loss;

import dev.graft.train.data.Passage;
import java.nio.IntBuffer;
import java.util.List;

/** A model's prediction for one row, with the row's label. */
@SuppressWarnings("ArrayRecordComponent") // made once for one row, never shared
public sealed interface Prediction {
    /** Returns the number of the row in its data set. */
    int row();

    /**
     * A single-label classification.
     *
     * @param target the row's class
     * @param logits one for each class, [classes]
     */
    record SingleLabel(int row, int target, float[] logits) implements Prediction {
        /** Returns the class with the largest logit, the first of equals. */
        public int predicted() {
            int best = 0;
            for (int i = 1; i < logits.length; i++) {
                if (logits[i] > logits[best]) {
                    best = i;
                }
            }
            return best;
        }

        /** Returns the softmax of the logits, [classes]. */
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
     * A multi-label classification.
     *
     * @param target true for each class that the row has
     * @param logits one for each class, [classes]
     */
    record MultiLabel(int row, boolean[] target, float[] logits) implements Prediction {
        /** Returns for each class whether its probability is above one half. */
        public boolean[] predicted() {
            boolean[] predicted = new boolean[logits.length];
            for (int i = 0; i < logits.length; i++) {
                predicted[i] = logits[i] > 0;
            }
            return predicted;
        }
    }

    /**
     * A pair of a chosen and a rejected answer.
     *
     * @param loss the loss of the pair
     * @param chosen the reward of the chosen answer
     * @param rejected the reward of the rejected one
     */
    record PreferencePair(int row, double loss, double chosen, double rejected) implements Prediction {}

    /**
     * An answer that was judged good or bad.
     *
     * @param isGood true for a good answer
     * @param loss the loss of the row
     * @param reward β times the log-ratio of the model with its adapter to that without
     */
    record Judged(int row, boolean isGood, double loss, double reward) implements Prediction {}

    /**
     * The classes of a row's labelled tokens.
     *
     * @param tokens the labelled tokens in their order
     */
    record Tags(int row, List<SingleLabel> tokens) implements Prediction {
        public Tags {
            tokens = List.copyOf(tokens);
        }
    }

    /**
     * A predicted answer span of extractive question answering.
     *
     * @param nullScore the sum of the start and end logits of no answer, the least of all windows
     * @param score the sum of the start and end logits of the answer
     * @param probability the probability of the answer's first and last token, in its window
     * @param from the start of the answer in the context, in code points
     * @param to the end of the answer
     */
    record AnswerSpan(int row, Passage passage, double nullScore, double score, double probability, int from, int to)
            implements Prediction {
        /** Returns the better answer of two windows of one row. */
        public AnswerSpan better(AnswerSpan other) {
            AnswerSpan best = other.score > score ? other : this;
            return new AnswerSpan(
                    row,
                    best.passage,
                    Math.min(nullScore, other.nullScore),
                    best.score,
                    best.probability,
                    best.from,
                    best.to);
        }

        /**
         * Returns the text of the answer.
         *
         * @param mayBeNone true to return {@code ""} if no answer is more probable
         */
        public String text(boolean mayBeNone) {
            return mayBeNone && nullScore > score ? "" : passage.text(from, to);
        }
    }

    /**
     * The classes of an image's pixels, row by row, [height · width].
     *
     * @param target the label of each pixel; 255 for unlabelled pixels
     * @param predicted the predicted class of each pixel
     */
    record Pixels(int row, int[] target, int[] predicted) implements Prediction {}

    /**
     * The embeddings of a row's texts.
     *
     * @param score the similarity label of the row; NaN if its texts are a matching pair
     */
    record Embedded(int row, List<EmbeddedText> texts, double score) implements Prediction {
        public Embedded {
            texts = List.copyOf(texts);
        }
    }

    /**
     * A text and its embedding.
     *
     * @param ids the token ids, which identify equal texts
     * @param vector the embedding, [hidden]
     */
    record EmbeddedText(IntBuffer ids, float[] vector) {}

    /** The predicted value of a regression. */
    record Value(int row, float target, float predicted) implements Prediction {}

    /**
     * The likelihood of a row's labelled tokens.
     *
     * @param negativeLogLikelihood the sum over the tokens, in nats
     * @param tokens the number of labelled tokens
     * @param correct the number of tokens whose label was the most probable one
     */
    record Tokens(int row, double negativeLogLikelihood, int tokens, int correct) implements Prediction {}
}
