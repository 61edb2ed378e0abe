package dev.graft.train.loss;

import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.heads.HiddenStates;
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
 * The tokens of a batch whose log-probabilities are needed: those of answers, and all tokens of some rows. All arrays are [tokens].
 *
 * @param positions the position in the flattened hidden states [rows · width] that predicts each token
 * @param ids the token ids
 * @param rows the row of each token
 * @param answers true for each token of an answer
 */
@SuppressWarnings("ArrayRecordComponent") // made once for one step, never shared
record AnswerTokens(long[] positions, long[] ids, int[] rows, boolean[] answers) {
    private static final int CHUNK = 256;

    /**
     * Collects the tokens of a batch.
     *
     * @param prompt the number of virtual tokens before each text
     * @param whole for each row, true if all its tokens are needed
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
     * The log-probabilities of a row, in nats.
     *
     * @param answer the sum over the answer's tokens
     * @param tokens the number of the answer's tokens
     * @param all the sum over all tokens, if they are needed
     */
    record Likelihood(double answer, int tokens, double all) {
        /** Averaged over the answer's tokens. */
        double mean() {
            return answer / tokens;
        }
    }

    /** The likelihoods of the rows of a batch, without gradients and dropout. */
    static Likelihood[] measure(Base base, Hooks hooks, Batch batch, boolean[] whole) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            ForwardPass pass = ForwardPass.evaluation(hooks);
            HiddenStates hidden = base.forward(LossFunction.inputs(batch), pass);
            AnswerTokens tokens = of(batch, (int) hidden.prompt(), whole);
            return tokens.likelihoods(base, tokens.states(hidden), pass, batch.rows());
        }
    }

    /** The hidden states that predict the tokens, {@code [tokens, hidden]}. */
    Tensor states(HiddenStates hidden) {
        Tensor last = hidden.last();
        return last.reshape(-1, last.size(2)).index_select(0, Tensors.of(positions, positions.length));
    }

    /** The likelihoods of rows by the states that predict their tokens. */
    Likelihood[] likelihoods(Base base, Tensor states, ForwardPass pass, int batchRows) {
        double[] answer = new double[batchRows];
        double[] all = new double[batchRows];
        int[] count = new int[batchRows];
        try (NoGrad noGrad = new NoGrad()) {
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
    void backward(Base base, Tensor states, ForwardPass pass, Function<Integer, double[]> slopes, double factor) {
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
            BackwardPass.from(states, cut.grad());
        }
    }
}
