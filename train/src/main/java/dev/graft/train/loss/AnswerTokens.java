package dev.graft.train.loss;

import dev.graft.models.Base;
import dev.graft.models.Hidden;
import dev.graft.models.Pass;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Target;
import java.util.Arrays;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;

/**
 * The tokens of a batch whose log-probabilities a causal model is asked for: those of answers, and where wanted all of some rows.
 *
 * @param positions in the flattened hidden states where each is predicted
 * @param ids the tokens
 * @param rows the row of each
 * @param answers whether each is part of an answer
 */
@SuppressWarnings("ArrayRecordComponent") // made once for one step, never shared
record AnswerTokens(long[] positions, long[] ids, int[] rows, boolean[] answers) {
    private static final int CHUNK = 256;

    /**
     * @param prompt rows of a prompt before each text
     * @param whole whether all tokens of each row are wanted
     */
    static AnswerTokens of(Batch batch, int prompt, boolean[] whole) {
        long[] labels = labels(batch);
        int width = batch.width();
        long[] positions = new long[labels.length];
        long[] ids = new long[labels.length];
        int[] rows = new int[labels.length];
        boolean[] answers = new boolean[labels.length];
        int count = 0;
        for (int row = 0; row < batch.rows(); row++) {
            for (int i = prompt > 0 ? 0 : 1; i < batch.lengths()[row]; i++) {
                boolean answer = labels[row * width + i] != Target.NONE;
                if (answer || whole[row] && i > 0) {
                    positions[count] = (long) row * (prompt + width) + prompt + i - 1;
                    ids[count] = batch.ids()[row * width + i];
                    rows[count] = row;
                    answers[count++] = answer;
                }
            }
        }
        return new AnswerTokens(
                Arrays.copyOf(positions, count),
                Arrays.copyOf(ids, count),
                Arrays.copyOf(rows, count),
                Arrays.copyOf(answers, count));
    }

    static long[] labels(Batch batch) {
        return batch.targets().tokenLabels();
    }

    /**
     * Log-probabilities of a row.
     *
     * @param answer summed over the answer's tokens
     * @param tokens how many they are
     * @param all summed over all tokens, where all are wanted
     */
    record Likelihood(double answer, int tokens, double all) {
        /** Averaged over the answer's tokens. */
        double mean() {
            return answer / tokens;
        }
    }

    /** The likelihoods of the rows of a batch, without gradients and dropout. */
    static Likelihood[] measured(Base base, Hooks hooks, Batch batch, boolean[] whole) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Pass pass = Pass.evaluation(hooks);
            Hidden hidden = base.hidden(Objective.inputs(batch), pass);
            AnswerTokens tokens = of(batch, (int) hidden.prompt(), whole);
            return tokens.likelihoods(base, tokens.states(hidden), pass, batch.rows());
        }
    }

    /** The hidden states that predict the tokens, {@code [tokens, hidden]}. */
    Tensor states(Hidden hidden) {
        Tensor last = hidden.last();
        return last.reshape(-1, last.size(2)).index_select(0, Tensors.of(positions, positions.length));
    }

    /** The likelihoods of rows by the states that predict their tokens. */
    Likelihood[] likelihoods(Base base, Tensor states, Pass pass, int batchRows) {
        double[] answer = new double[batchRows];
        double[] all = new double[batchRows];
        int[] count = new int[batchRows];
        try (NoGrad off = new NoGrad()) {
            for (int start = 0; start < ids.length; start += CHUNK) {
                int size = Math.min(CHUNK, ids.length - start);
                try (Scope chunk = new Scope()) {
                    Tensor logits = Ops.to(
                            base.head().project(states.narrow(0, start, size), pass),
                            base.numerics().small());
                    double[] losses = Tensors.doubles(CrossEntropy.of(logits, chosen(start, size), 0));
                    for (int i = 0; i < size; i++) {
                        int row = rows[start + i];
                        all[row] -= losses[i];
                        if (answers[start + i]) {
                            answer[row] -= losses[i];
                            count[row]++;
                        }
                    }
                }
            }
        }
        Likelihood[] likelihoods = new Likelihood[batchRows];
        Arrays.setAll(likelihoods, row -> new Likelihood(answer[row], count[row], all[row]));
        return likelihoods;
    }

    private Tensor chosen(int start, int size) {
        return Tensors.of(Arrays.copyOfRange(ids, start, start + size), size);
    }

    /**
     * Runs the backward pass from the states.
     *
     * @param slopes the derivative of the loss by a row's likelihoods: of the answer's tokens, and of all tokens
     * @param factor of the loss
     */
    void backward(Base base, Tensor states, Pass pass, Function<Integer, double[]> slopes, double factor) {
        Tensor cut = states.detach().set_requires_grad(true);
        for (int start = 0; start < ids.length; start += CHUNK) {
            int size = Math.min(CHUNK, ids.length - start);
            float[] weights = new float[size];
            for (int i = 0; i < size; i++) {
                double[] slope = slopes.apply(rows[start + i]);
                weights[i] = (float) -((answers[start + i] ? slope[0] : 0) + slope[1]);
            }
            try (Scope chunk = new Scope()) {
                CrossEntropy.backward(
                        base.head().project(cut.narrow(0, start, size), pass),
                        chosen(start, size),
                        Ops.to(Tensors.of(weights, size), base.numerics().small()),
                        0,
                        factor);
            }
        }
        if (states.requires_grad()) {
            Backward.from(states, cut.grad());
        }
    }
}
