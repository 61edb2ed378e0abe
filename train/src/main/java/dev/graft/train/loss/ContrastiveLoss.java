package dev.graft.train.loss;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.heads.Head;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Target;
import java.util.Arrays;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/**
 * The loss of a dual encoder on n images with their texts, from the scores z {@code [images, texts]} of all pairs of a batch. Where texts
 * compete (Radford et al., 2021): half the cross-entropy of every image over the texts, half that of every text over the images. Where the
 * head has a bias (Zhai et al., 2023): {@code -log σ(z)} of the pairs that belong together, {@code -log σ(-z)} of all others, by image.
 */
final class ContrastiveLoss implements LossFunction {
    private static final int SUM = 2;

    private final Base base;
    private final boolean alone;
    private final double labelSmoothing;

    private final BiFunction<Hooks, Batch, ForwardPass> passes;

    ContrastiveLoss(Base base, double labelSmoothing, BiFunction<Hooks, Batch, ForwardPass> passes) {
        this.base = base;
        this.alone = base.head() instanceof Head.Contrastive head && head.bias() != null;
        this.labelSmoothing = labelSmoothing;
        this.passes = passes;
        if (alone && labelSmoothing > 0) {
            throw new InputException("label_smoothing spreads a label over others, but " + base.name()
                    + " judges each pair of image and text alone; leave it out");
        }
    }

    @Override
    public long terms(Hooks hooks, Batch batch) {
        return batch.rows();
    }

    @Override
    public Loss backward(Hooks hooks, Batch batch, double divisor) {
        return BackwardPass.run(
                () -> passes.apply(hooks, batch),
                pass -> loss(base.logits(LossFunction.inputs(batch), pass), labelSmoothing),
                divisor,
                batch.rows());
    }

    @Override
    public Loss predict(Hooks hooks, Batch batch, Consumer<? super Prediction> predictions) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor scores = base.logits(LossFunction.inputs(batch), ForwardPass.evaluation(hooks));
            float[] values = Tensors.floats(scores);
            int rows = batch.rows();
            for (int row = 0; row < rows; row++) {
                float[] own = Arrays.copyOfRange(values, row * rows, (row + 1) * rows);
                predictions.accept(new Prediction.SingleLabel(batch.rowIndices()[row], row, own));
            }
            return new Loss(Tensors.item(loss(scores, 0)), rows);
        }
    }

    private Tensor loss(Tensor scores, double smoothing) {
        long rows = scores.size(0);
        if (alone) {
            // 1 where an image and a text belong together, else -1.
            Tensor signs = Ops.plus(Ops.scale(torch.eye(rows), 2), -1);
            return torch.log_sigmoid(scores.mul(signs)).sum().neg();
        }
        Tensor places = Tensors.of(LongStream.range(0, rows).toArray(), rows);
        return Ops.scale(entropy(scores, places, smoothing).add(entropy(scores.t(), places, smoothing)), 0.5);
    }

    private static Tensor entropy(Tensor scores, Tensor places, double smoothing) {
        return torch.cross_entropy_loss(scores, places, new TensorOptional(), SUM, Target.NONE, smoothing);
    }
}
