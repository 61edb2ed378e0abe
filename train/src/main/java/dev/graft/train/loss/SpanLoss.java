package dev.graft.train.loss;

import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.BatchTargets;
import dev.graft.train.data.Passage;
import dev.graft.train.data.Target;
import java.util.Arrays;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.ToLongFunction;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * The loss of answers in texts (Devlin et al., 2019, section 4.2): the mean of the cross-entropies of an answer's first and last token over
 * the tokens of a row. Padding is no choice, so a row's loss doesn't depend on its batch.
 */
final class SpanLoss implements LossFunction {
    private static final double HIDDEN = -1e30;

    /** Longer answers are hardly ever meant. */
    private static final int MOST_TOKENS = 64;

    private final Base base;
    private final double labelSmoothing;
    private final BiFunction<Hooks, Batch, ForwardPass> passes;

    SpanLoss(Base base, double labelSmoothing, BiFunction<Hooks, Batch, ForwardPass> passes) {
        this.base = base;
        this.labelSmoothing = labelSmoothing;
        this.passes = passes;
    }

    @Override
    public long terms(Hooks hooks, Batch batch) {
        return batch.rows();
    }

    /** Logits of first and last tokens, {@code [rows, tokens, 2]}; a prompt has none. */
    private Tensor logits(Batch batch, ForwardPass pass) {
        Tensor logits = base.logits(LossFunction.inputs(batch), pass);
        Tensor own = logits.narrow(1, logits.size(1) - batch.width(), batch.width());
        Tensor mask = Tensors.of(batch.attentionMask(), batch.rows(), batch.width());
        return own.masked_fill(mask.eq(new Scalar(0L)).unsqueeze(2), new Scalar(HIDDEN));
    }

    private static Tensor loss(Tensor logits, Batch batch, double smoothing) {
        Tensor starts = CrossEntropy.of(logits.select(2, 0), targets(batch, Target.Span::start), smoothing);
        Tensor ends = CrossEntropy.of(logits.select(2, 1), targets(batch, Target.Span::end), smoothing);
        return Ops.scale(starts.add(ends).sum(), 0.5);
    }

    private static Tensor targets(Batch batch, ToLongFunction<Target.Span> token) {
        long[] targets = ((BatchTargets.Spans) batch.targets())
                .answers().stream().mapToLong(token).toArray();
        return Tensors.of(targets, targets.length);
    }

    @Override
    public Loss backward(Hooks hooks, Batch batch, double divisor) {
        return BackwardPass.run(
                () -> passes.apply(hooks, batch),
                pass -> loss(logits(batch, pass), batch, labelSmoothing),
                divisor,
                batch.rows());
    }

    @Override
    public Loss predict(Hooks hooks, Batch batch, Consumer<? super Prediction> predictions) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor logits = logits(batch, ForwardPass.evaluation(hooks));
            double sum = Tensors.item(loss(logits, batch, 0));
            float[] values = Tensors.floats(logits);
            BatchTargets.Spans spans = (BatchTargets.Spans) batch.targets();
            for (int row = 0; row < batch.rows(); row++) {
                float[] own = Arrays.copyOfRange(values, 2 * row * batch.width(), 2 * (row + 1) * batch.width());
                predictions.accept(
                        best(batch.rowIndices()[row], spans.answers().get(row).passage(), own));
            }
            return new Loss(sum, batch.rows());
        }
    }

    /** The span of the context with the largest sum of its logits whose end isn't before its start. */
    private static Prediction.AnswerSpan best(int row, Passage passage, float[] logits) {
        int tokens = passage.from().length;
        double all = logOfSum(logits, 0) + logOfSum(logits, 1);
        Prediction.AnswerSpan best =
                new Prediction.AnswerSpan(row, passage, logits[0] + logits[1], Double.NEGATIVE_INFINITY, 0, 0, 0);
        for (int start = 0; start < tokens; start++) {
            for (int end = start; passage.from()[start] >= 0 && end < Math.min(tokens, start + MOST_TOKENS); end++) {
                double score = logits[2 * start] + logits[2 * end + 1];
                if (passage.from()[end] >= 0 && score > best.score()) {
                    best = new Prediction.AnswerSpan(
                            row,
                            passage,
                            best.nullScore(),
                            score,
                            Math.exp(score - all),
                            passage.from()[start],
                            passage.to()[end]);
                }
            }
        }
        return best;
    }

    /** {@code log Σ exp} of the logits of first tokens, or of last ones. */
    private static double logOfSum(float[] logits, int which) {
        double most = Double.NEGATIVE_INFINITY;
        for (int i = which; i < logits.length; i += 2) {
            most = Math.max(most, logits[i]);
        }
        double sum = 0;
        for (int i = which; i < logits.length; i += 2) {
            sum += Math.exp(logits[i] - most);
        }
        return most + Math.log(sum);
    }
}
