package dev.graft.eval.demo;

import dev.graft.models.Base;
import dev.graft.models.Hidden;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.BatchPlan;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Order;
import dev.graft.train.data.Target;
import dev.graft.train.loss.Objective;
import dev.graft.train.optim.AdamW;
import dev.graft.train.optim.FlatParameters;
import dev.graft.train.optim.Optimizer;
import dev.graft.train.optim.Optimizer.Decay;
import java.util.Map;
import java.util.function.IntConsumer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * What a frozen base knows already: a linear classifier on its pooled hidden states (Alain and Bengio, 2016). The base never changes, so
 * each row goes through it once; the classifier then sees all rows in every step. Its settings are the best of 27 on the last 20 training
 * rows of each kind, trained on the others: steps 100, 200, 300; rates 0.003, 0.01, 0.03; weight decay 0, 0.3, 1.
 */
final class LinearProbe {
    private static final int BATCH = 64;
    private static final int STEPS = 100;
    private static final double LEARNING_RATE = 0.01;
    private static final double WEIGHT_DECAY = 1;
    private static final int MEAN = 1;

    private final Tensor weight;
    private final Tensor bias;

    private LinearProbe(Tensor weight, Tensor bias) {
        this.weight = weight;
        this.bias = bias;
    }

    /**
     * The rows that the base's head reads, {@code [rows, hidden]}, released from all scopes.
     *
     * @param done is told the number of rows of each batch
     */
    static Tensor features(Base base, Examples examples, IntConsumer done) {
        int hidden = base.backbone().hiddenSize();
        float[] features = new float[examples.size() * hidden];
        for (int[] rows : new BatchPlan(examples.lengths(), BATCH, Order.LENGTH_SORTED, 0, false).epoch(0)) {
            try (NoGrad off = new NoGrad();
                    Scope scope = new Scope()) {
                Pass pass = Pass.inference(Hooks.NONE);
                Inputs inputs = Objective.inputs(examples.batch(rows, 0));
                Hidden states = base.hidden(inputs, pass);
                float[] pooled = Tensors.floats(base.head().rows(states, pass));
                for (int i = 0; i < rows.length; i++) {
                    System.arraycopy(pooled, i * hidden, features, rows[i] * hidden, hidden);
                }
            }
            done.accept(rows.length);
        }
        try (Scope scope = new Scope()) {
            return scope.release(Tensors.of(features, examples.size(), hidden));
        }
    }

    static int[] classes(Examples examples) {
        int[] classes = new int[examples.size()];
        for (int i = 0; i < classes.length; i++) {
            classes[i] = ((Target.ClassId) examples.get(i).target()).id();
        }
        return classes;
    }

    /** Trains on features {@code [rows, hidden]} and the class of each. */
    static LinearProbe train(Tensor features, int[] classes, int outputs) {
        try (Scope scope = new Scope()) {
            Tensor weight = scope.release(Tensors.zeros(ScalarType.Float, outputs, features.size(1)));
            Tensor bias = scope.release(Tensors.zeros(ScalarType.Float, outputs));
            weight.set_requires_grad(true);
            bias.set_requires_grad(true);
            Optimizer optimizer = new AdamW.Settings(0.9, 0.999, 1e-8, WEIGHT_DECAY, Decay.MATRICES)
                    .of(new FlatParameters(Map.of("weight", weight, "bias", bias)));
            long[] targets = new long[classes.length];
            for (int i = 0; i < targets.length; i++) {
                targets[i] = classes[i];
            }
            Tensor wanted = Tensors.of(targets, targets.length);
            for (int step = 0; step < STEPS; step++) {
                try (Scope inner = new Scope()) {
                    optimizer.parameters().zeroGradients();
                    torch.cross_entropy_loss(
                                    Ops.linear(features, weight, bias),
                                    wanted,
                                    new TensorOptional(),
                                    MEAN,
                                    Target.NONE,
                                    0)
                            .backward();
                    optimizer.step(LEARNING_RATE * (1 - (double) step / STEPS));
                }
            }
            return new LinearProbe(weight, bias);
        }
    }

    /** {@code [row][class]}. */
    float[][] logits(Tensor features) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            float[] values = Tensors.floats(Ops.linear(features, weight, bias));
            int outputs = (int) weight.size(0);
            float[][] logits = new float[values.length / outputs][outputs];
            for (int i = 0; i < logits.length; i++) {
                System.arraycopy(values, i * outputs, logits[i], 0, outputs);
            }
            return logits;
        }
    }
}
