package dev.graft.train.loss;

import dev.graft.formats.InputException;
import dev.graft.models.Auxiliary;
import dev.graft.models.Base;
import dev.graft.models.Pass;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Goal;
import dev.graft.train.data.Target;
import dev.graft.train.data.Targets;
import java.util.Arrays;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * The loss of whole sequences: cross-entropy for one class, or for one of several rows that are compared, binary cross-entropy averaged over the classes for several, the squared error
 * for a number. With a teacher, cross-entropy and the divergence from its classes.
 */
final class SequenceLoss implements Objective {
    private static final int SUM = 2;

    private final Base base;
    private final double labelSmoothing;
    private final BiFunction<Hooks, Batch, Pass> passes;
    private final Goal.@Nullable Distill goal;

    /** @param goal null without a teacher */
    SequenceLoss(Base base, double labelSmoothing, Goal.@Nullable Distill goal, BiFunction<Hooks, Batch, Pass> passes) {
        this.goal = goal;
        this.passes = passes;
        this.base = base;
        this.labelSmoothing = labelSmoothing;
    }

    @Override
    public long terms(Hooks hooks, Batch batch) {
        return batch.units();
    }

    /** {@code [units, classes]}: where rows are compared, each has one score. */
    private Tensor logits(Batch batch, Pass pass) {
        return grouped(base.logits(Objective.inputs(batch), pass), batch);
    }

    /** With the losses of what a pass has beside its last hidden states. */
    private Tensor withAuxiliaries(Tensor loss, Batch batch, Pass pass) {
        Tensor sum = loss;
        for (Auxiliary auxiliary : pass.auxiliaries()) {
            Tensor logits =
                    grouped(Ops.to(auxiliary.head(base).logits(auxiliary.hidden(), pass), loss.scalar_type()), batch);
            sum = Ops.addScaled(sum, loss(logits, batch, labelSmoothing), auxiliary.weight());
        }
        return sum;
    }

    private static Tensor grouped(Tensor logits, Batch batch) {
        return batch.group() == 1 ? logits : logits.view(batch.units(), batch.group());
    }

    @Override
    public Loss backward(Hooks hooks, Batch batch, double divisor) {
        if (goal != null) {
            return distilled(goal, hooks, batch, divisor);
        }
        return Backward.of(
                () -> passes.apply(hooks, batch),
                pass -> withAuxiliaries(loss(logits(batch, pass), batch, labelSmoothing), batch, pass),
                divisor,
                batch.units());
    }

    private Loss distilled(Goal.Distill goal, Hooks hooks, Batch batch, double divisor) {
        if (!(batch.targets() instanceof Targets.ClassIds)) {
            throw new InputException("distillation needs one label a row; these rows have numbers, or several labels");
        }
        double[] divergence = new double[1];
        Loss loss = Backward.of(
                () -> passes.apply(hooks, batch),
                pass -> {
                    SoftTargets soft = SoftTargets.of(goal, batch);
                    Tensor logits = logits(batch, pass);
                    Tensor said = soft.divergences(logits, grouped(soft.logits(), batch))
                            .sum();
                    divergence[0] = Tensors.item(said);
                    Tensor both = Ops.scale(loss(logits, batch, labelSmoothing), 1 - goal.weight())
                            .add(Ops.scale(said, goal.weight()));
                    return withAuxiliaries(both, batch, pass);
                },
                divisor,
                batch.units());
        return SoftTargets.beside(loss, divergence[0]);
    }

    @Override
    public Loss predict(Hooks hooks, Batch batch, Consumer<? super Prediction> predictions) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Tensor logits = logits(batch, Pass.evaluation(hooks));
            double sum = Tensors.item(loss(logits, batch, 0));
            float[] values = Tensors.floats(logits);
            int width = values.length / batch.units();
            for (int unit = 0; unit < batch.units(); unit++) {
                int row = unit * batch.group();
                float[] own = Arrays.copyOfRange(values, unit * width, (unit + 1) * width);
                predictions.accept(prediction(batch.targets(), row, batch.rowIndices()[row], own));
            }
            return new Loss(sum, batch.units());
        }
    }

    private static Prediction prediction(Targets targets, int row, int index, float[] logits) {
        if (targets instanceof Targets.ClassIds classes) {
            return new Prediction.OneClass(index, (int) classes.ids()[row], logits);
        }
        if (targets instanceof Targets.MultiHot hot) {
            boolean[] wanted = new boolean[hot.classes()];
            for (int i = 0; i < wanted.length; i++) {
                wanted[i] = hot.values()[row * wanted.length + i] > 0;
            }
            return new Prediction.ManyClasses(index, wanted, logits);
        }
        return new Prediction.Value(index, ((Targets.Scores) targets).values()[row], logits[0]);
    }

    private static Tensor loss(Tensor logits, Batch batch, double smoothing) {
        Targets targets = batch.targets();
        if (targets instanceof Targets.ClassIds classes) {
            long[] ids = new long[batch.units()];
            Arrays.setAll(ids, unit -> classes.ids()[unit * batch.group()]);
            return torch.cross_entropy_loss(
                    logits, Tensors.of(ids, ids.length), new TensorOptional(), SUM, Target.NONE, smoothing);
        }
        if (targets instanceof Targets.MultiHot hot) {
            Tensor wanted = Tensors.of(hot.values(), batch.rows(), hot.classes());
            Tensor sum = torch.binary_cross_entropy_with_logits(
                    logits, wanted, new TensorOptional(), new TensorOptional(), SUM);
            return Ops.scale(sum, 1.0 / hot.classes());
        }
        if (targets instanceof Targets.Scores scores) {
            return torch.mse_loss(logits.squeeze(-1), Tensors.of(scores.values(), batch.rows()), SUM);
        }
        throw new IllegalArgumentException("a loss over sequences needs one target a row");
    }
}
