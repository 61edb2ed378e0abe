package dev.graft.train.loss;

import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.heads.Head;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.BatchTargets;
import dev.graft.train.data.Image;
import dev.graft.train.data.Target;
import java.util.Arrays;
import java.util.Objects;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/** The cross-entropy of every labelled point of an image, from the logits of patches spread over the points that the model saw. */
final class SegmentationLoss implements LossFunction {
    private static final int SUM = 2;

    private final Base base;
    private final Head.PerPatch head;
    private final double labelSmoothing;
    private final BiFunction<Hooks, Batch, ForwardPass> passes;

    SegmentationLoss(Base base, double labelSmoothing, BiFunction<Hooks, Batch, ForwardPass> passes) {
        this.base = base;
        this.head = (Head.PerPatch) base.head();
        this.labelSmoothing = labelSmoothing;
        this.passes = passes;
    }

    @Override
    public long terms(Hooks hooks, Batch batch) {
        return batch.lossTerms();
    }

    @Override
    public Loss backward(Hooks hooks, Batch batch, double divisor) {
        return BackwardPass.run(
                () -> passes.apply(hooks, batch),
                pass -> loss(scores(batch, pass), classes(batch), labelSmoothing),
                divisor,
                batch.lossTerms());
    }

    @Override
    public Loss predict(Hooks hooks, Batch batch, Consumer<? super Prediction> predictions) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor scores = scores(batch, ForwardPass.evaluation(hooks));
            long[] classes = classes(batch);
            long[] chosen = Tensors.longs(scores.argmax(new LongOptional(1), false));
            int each = chosen.length / batch.rows();
            for (int row = 0; row < batch.rows(); row++) {
                predictions.accept(new Prediction.Pixels(
                        batch.rowIndices()[row], ints(classes, row * each, each), ints(chosen, row * each, each)));
            }
            return new Loss(Tensors.item(loss(scores, classes, 0)), batch.lossTerms());
        }
    }

    private static int[] ints(long[] values, int from, int count) {
        return Arrays.stream(values, from, from + count)
                .mapToInt(Math::toIntExact)
                .toArray();
    }

    private static long[] classes(Batch batch) {
        return ((BatchTargets.Pixels) batch.targets()).classes();
    }

    /** {@code [rows, classes, height, width]} */
    private Tensor scores(Batch batch, ForwardPass pass) {
        Image first = Objects.requireNonNull(batch.images()).images().get(0);
        Tensor logits = base.logits(LossFunction.inputs(batch), pass);
        return head.spread(logits, first.height(), first.height(), first.width());
    }

    private static Tensor loss(Tensor scores, long[] classes, double smoothing) {
        return torch.cross_entropy_loss(
                scores,
                Tensors.of(classes, scores.size(0), scores.size(2), scores.size(3)),
                new TensorOptional(),
                SUM,
                Target.Pixels.UNLABELLED,
                smoothing);
    }
}
