package dev.graft.train.loss;

import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.TrainingObjective;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Tensor;

/** {@link TrainingObjective.Reward}: the single output of a sequence head is the reward of an answer. */
final class RewardLoss implements LossFunction {
    private final Base base;
    private final BiFunction<Hooks, Batch, ForwardPass> passes;
    private final TrainingObjective.Reward objective;

    RewardLoss(Base base, TrainingObjective.Reward objective, BiFunction<Hooks, Batch, ForwardPass> passes) {
        this.passes = passes;
        this.base = base;
        this.objective = objective;
    }

    @Override
    public long terms(Hooks hooks, Batch batch) {
        return batch.units();
    }

    @Override
    public Loss backward(Hooks hooks, Batch batch, double divisor) {
        try (Scope scope = new Scope()) {
            ForwardPass pass = passes.apply(hooks, batch);
            Tensor rewards = base.logits(LossFunction.inputs(batch), pass);
            double[] values = Tensors.doubles(rewards);
            float[] slopes = new float[values.length];
            for (int row = 0; row < values.length; row += 2) {
                double slope = -PreferenceTerm.sigmoid(values[row + 1] - values[row]);
                double centre = 2 * objective.centering() * (values[row] + values[row + 1]);
                slopes[row] = (float) ((slope + centre) / divisor);
                slopes[row + 1] = (float) ((centre - slope) / divisor);
            }
            Tensor gradient = Ops.to(Tensors.of(slopes, slopes.length), rewards.scalar_type());
            BackwardPass.from(rewards, gradient.view(Tensors.shape(rewards)));
            pass.backward();
            return loss(values);
        }
    }

    @Override
    public Loss predict(Hooks hooks, Batch batch, Consumer<? super Prediction> predictions) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            double[] values = Tensors.doubles(base.logits(LossFunction.inputs(batch), ForwardPass.evaluation(hooks)));
            for (int row = 0; row < values.length; row += 2) {
                predictions.accept(new Prediction.PreferencePair(
                        batch.rowIndices()[row], loss(values[row], values[row + 1]), values[row], values[row + 1]));
            }
            return loss(values);
        }
    }

    private Loss loss(double[] values) {
        Loss loss = Loss.NONE;
        for (int row = 0; row < values.length; row += 2) {
            loss = loss.plus(
                    new Loss(loss(values[row], values[row + 1]), 1, PreferenceLoss.pair(values[row], values[row + 1])));
        }
        return loss;
    }

    private double loss(double chosen, double rejected) {
        double sum = chosen + rejected;
        return -PreferenceTerm.logSigmoid(chosen - rejected) + objective.centering() * sum * sum;
    }
}
