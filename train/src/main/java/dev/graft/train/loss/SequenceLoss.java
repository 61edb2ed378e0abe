package dev.graft.train.loss;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.AuxiliaryOutput;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.BatchTargets;
import dev.graft.train.data.Target;
import dev.graft.train.data.TrainingObjective;
import java.util.Arrays;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * The loss of whole sequences. It is the cross-entropy for one class or for a choice among rows, the binary cross-entropy averaged over the
 * classes for several classes, and the squared error for a number. With a teacher it is cross-entropy plus the divergence from the
 * teacher's classes.
 */
final class SequenceLoss implements LossFunction {
    private static final int SUM = 2;

    private final Base base;
    private final double labelSmoothing;
    private final BiFunction<Hooks, Batch, ForwardPass> passes;
    private final TrainingObjective.@Nullable Distill objective;

    /** @param objective null without a teacher */
    SequenceLoss(
            Base base,
            double labelSmoothing,
            TrainingObjective.@Nullable Distill objective,
            BiFunction<Hooks, Batch, ForwardPass> passes) {
        this.objective = objective;
        this.passes = passes;
        this.base = base;
        this.labelSmoothing = labelSmoothing;
    }

    @Override
    public long terms(Hooks hooks, Batch batch) {
        return batch.units();
    }

    /** {@code [units, classes]}: where rows are compared, each has one score. */
    private Tensor logits(Batch batch, ForwardPass pass) {
        return grouped(base.logits(LossFunction.inputs(batch), pass), batch);
    }

    /** Adds the losses of what a pass has beside its last hidden states. */
    private Tensor withAuxiliaries(Tensor loss, Batch batch, ForwardPass pass) {
        Tensor sum = loss;
        for (AuxiliaryOutput auxiliary : pass.auxiliaries()) {
            Tensor logits = grouped(
                    Ops.to(auxiliary.headOr(base.head()).logits(auxiliary.hidden(), pass), loss.scalar_type()), batch);
            sum = Ops.addScaled(sum, loss(logits, batch, labelSmoothing), auxiliary.weight());
        }
        return sum;
    }

    private static Tensor grouped(Tensor logits, Batch batch) {
        return batch.groupSize() == 1 ? logits : logits.view(batch.units(), batch.groupSize());
    }

    @Override
    public Loss backward(Hooks hooks, Batch batch, double divisor) {
        if (objective != null) {
            return distilled(objective, hooks, batch, divisor);
        }
        return BackwardPass.run(
                () -> passes.apply(hooks, batch),
                pass -> withAuxiliaries(loss(logits(batch, pass), batch, labelSmoothing), batch, pass),
                divisor,
                batch.units());
    }

    private Loss distilled(TrainingObjective.Distill objective, Hooks hooks, Batch batch, double divisor) {
        if (!(batch.targets() instanceof BatchTargets.ClassIds)) {
            throw new InputException("distillation needs one label a row; these rows have numbers, or several labels");
        }
        double[] divergence = new double[1];
        Loss loss = BackwardPass.run(
                () -> passes.apply(hooks, batch),
                pass -> {
                    SoftTargets soft = SoftTargets.of(objective, batch);
                    Tensor logits = logits(batch, pass);
                    Tensor said = soft.divergences(logits, grouped(soft.logits(), batch))
                            .sum();
                    divergence[0] = Tensors.item(said);
                    Tensor both = Ops.scale(loss(logits, batch, labelSmoothing), 1 - objective.weight())
                            .add(Ops.scale(said, objective.weight()));
                    return withAuxiliaries(both, batch, pass);
                },
                divisor,
                batch.units());
        return SoftTargets.withDivergence(loss, divergence[0]);
    }

    @Override
    public Loss predict(Hooks hooks, Batch batch, Consumer<? super Prediction> predictions) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor logits = logits(batch, ForwardPass.evaluation(hooks));
            double sum = Tensors.item(loss(logits, batch, 0));
            float[] values = Tensors.floats(logits);
            int width = values.length / batch.units();
            for (int unit = 0; unit < batch.units(); unit++) {
                int row = unit * batch.groupSize();
                float[] own = Arrays.copyOfRange(values, unit * width, (unit + 1) * width);
                predictions.accept(prediction(batch.targets(), row, batch.rowIndices()[row], own));
            }
            return new Loss(sum, batch.units());
        }
    }

    private static Prediction prediction(BatchTargets targets, int row, int index, float[] logits) {
        if (targets instanceof BatchTargets.ClassIds classes) {
            return new Prediction.SingleLabel(index, (int) classes.ids()[row], logits);
        }
        if (targets instanceof BatchTargets.MultiHot hot) {
            boolean[] wanted = new boolean[hot.classes()];
            for (int i = 0; i < wanted.length; i++) {
                wanted[i] = hot.values()[row * wanted.length + i] > 0;
            }
            return new Prediction.MultiLabel(index, wanted, logits);
        }
        return new Prediction.Value(index, ((BatchTargets.Scores) targets).values()[row], logits[0]);
    }

    private static Tensor loss(Tensor logits, Batch batch, double smoothing) {
        BatchTargets targets = batch.targets();
        if (targets instanceof BatchTargets.ClassIds classes) {
            long[] ids = new long[batch.units()];
            Arrays.setAll(ids, unit -> classes.ids()[unit * batch.groupSize()]);
            return torch.cross_entropy_loss(
                    logits, Tensors.of(ids, ids.length), new TensorOptional(), SUM, Target.NONE, smoothing);
        }
        if (targets instanceof BatchTargets.MultiHot hot) {
            Tensor wanted = Tensors.of(hot.values(), batch.rows(), hot.classes());
            Tensor sum = torch.binary_cross_entropy_with_logits(
                    logits, wanted, new TensorOptional(), new TensorOptional(), SUM);
            return Ops.scale(sum, 1.0 / hot.classes());
        }
        if (targets instanceof BatchTargets.Scores scores) {
            return torch.mse_loss(logits.squeeze(-1), Tensors.of(scores.values(), batch.rows()), SUM);
        }
        throw new IllegalArgumentException("a loss over sequences needs one target a row");
    }
}
