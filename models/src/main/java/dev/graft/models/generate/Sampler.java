package dev.graft.models.generate;

import dev.graft.tensor.Rng;
import java.util.Arrays;
import java.util.BitSet;

/** Chooses the next token of one text by its logits. */
final class Sampler {
    private final GenerateOptions options;
    private final Rng random;
    private final BitSet seen = new BitSet();

    Sampler(GenerateOptions options, Rng random) {
        this.options = options;
        this.random = random;
    }

    /** Marks a token as one that occurred, for the repetition penalty. */
    void markSeen(int id) {
        seen.set(id);
    }

    /** Returns the next token; modifies the logits. */
    int next(float[] logits) {
        penalise(logits);
        int likeliest = likeliest(logits);
        if (!Float.isFinite(logits[likeliest])) {
            throw new IllegalStateException(
                    "the largest logit is " + logits[likeliest] + ": the model's output is not a number");
        }
        return options.temperature() == 0 ? likeliest : draw(weights(logits, logits[likeliest]));
    }

    /** Returns weights proportional to the probabilities of the tokens, 0 for dropped ones. */
    double[] weights(float[] logits, double max) {
        double[] weights = new double[logits.length];
        for (int id = 0; id < logits.length; id++) {
            weights[id] = Math.exp((logits[id] - max) / options.temperature());
        }
        filter(weights);
        return weights;
    }

    /** Applies the repetition penalty to the logits of tokens that occurred. */
    void penalise(float[] logits) {
        if (options.repetitionPenalty() != 1) {
            float penalty = (float) options.repetitionPenalty();
            for (int id = seen.nextSetBit(0); id >= 0; id = seen.nextSetBit(id + 1)) {
                logits[id] = logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty;
            }
        }
    }

    static int likeliest(float[] logits) {
        int best = 0;
        for (int id = 1; id < logits.length; id++) {
            if (logits[id] > logits[best]) {
                best = id;
            }
        }
        return best;
    }

    /** Sets the weights of tokens that are not kept to 0. The likeliest one, of weight 1, always is. */
    private void filter(double[] weights) {
        double least = options.minP();
        if (options.topK() > 0 && options.topK() < weights.length || options.topP() < 1) {
            double[] sorted = weights.clone();
            Arrays.sort(sorted);
            int last = sorted.length - 1;
            int kept = options.topK() == 0 ? sorted.length : Math.min(options.topK(), sorted.length);
            if (options.topP() < 1) {
                double total = 0;
                for (int i = 0; i < kept; i++) {
                    total += sorted[last - i];
                }
                double before = 0;
                int nucleus = 0;
                while (nucleus < kept && (nucleus == 0 || before < options.topP() * total)) {
                    before += sorted[last - nucleus];
                    nucleus++;
                }
                kept = nucleus;
            }
            least = Math.max(least, sorted[last - kept + 1]);
        }
        for (int id = 0; id < weights.length; id++) {
            if (weights[id] < least) {
                weights[id] = 0;
            }
        }
    }

    private int draw(double[] weights) {
        double total = 0;
        for (double weight : weights) {
            total += weight;
        }
        double left = random.nextDouble() * total;
        int chosen = -1;
        for (int id = 0; id < weights.length; id++) {
            if (weights[id] > 0) {
                chosen = id;
                left -= weights[id];
                if (left < 0) {
                    break;
                }
            }
        }
        return chosen;
    }
}
