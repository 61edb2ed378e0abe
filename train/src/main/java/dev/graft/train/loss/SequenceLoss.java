package dev.graft.train.loss;

import dev.graft.models.Base;
import dev.graft.models.Pass;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Target;
import dev.graft.train.data.Targets;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/**
 * The loss of whole sequences: cross-entropy for one class, binary cross-entropy averaged over the classes for several, the squared error
 * for a number.
 */
final class SequenceLoss implements Objective {
    private static final int SUM = 2;

    private final Base base;
    private final double labelSmoothing;

    SequenceLoss(Base base, double labelSmoothing) {
        this.base = base;
        this.labelSmoothing = labelSmoothing;
    }

    @Override
    public Loss backward(Hooks hooks, Batch batch, double divisor) {
        try (Scope scope = new Scope()) {
            Tensor loss = loss(base.logits(Objective.inputs(batch), Pass.training(hooks)), batch);
            Ops.scale(loss, 1 / divisor).backward();
            return new Loss(Tensors.item(loss), batch.rows());
        }
    }

    @Override
    public Loss evaluate(Hooks hooks, Batch batch) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Tensor logits = base.logits(Objective.inputs(batch), Pass.inference(hooks));
            return new Loss(Tensors.item(loss(logits, batch)), batch.rows());
        }
    }

    private Tensor loss(Tensor logits, Batch batch) {
        Targets targets = batch.targets();
        if (targets instanceof Targets.ClassIds classes) {
            return torch.cross_entropy_loss(
                    logits,
                    Tensors.of(classes.ids(), batch.rows()),
                    new TensorOptional(),
                    SUM,
                    Target.NONE,
                    labelSmoothing);
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
