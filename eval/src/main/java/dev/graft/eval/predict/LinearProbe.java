package dev.graft.eval.predict;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.BatchSampler;
import dev.graft.train.data.ExampleOrder;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Target;
import dev.graft.train.loss.LossFunction;
import dev.graft.train.loss.Prediction.SingleLabel;
import dev.graft.train.optim.AdamW;
import dev.graft.train.optim.FlatParameters;
import dev.graft.train.optim.FlatParameters.Decay;
import dev.graft.train.optim.Optimizer;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A linear probe: a linear classifier on the pooled hidden states of a frozen base (Alain and Bengio, 2016). Each row goes through the base
 * once; the classifier then sees all rows in every step. Its settings are the best of 27 on the last 20 training rows of each class,
 * trained on the others: steps 100, 200, 300; rates 0.003, 0.01, 0.03; weight decay 0, 0.3, 1.
 */
public final class LinearProbe {
    private static final int BATCH = 64;
    private static final int STEPS = 100;

    /** The learning rate that is best on definitions of nouns. */
    public static final double LEARNING_RATE = 0.01;

    private static final double WEIGHT_DECAY = 1;
    private static final int MEAN = 1;

    private final Tensor weight;
    private final Tensor bias;

    private LinearProbe(Tensor weight, Tensor bias) {
        this.weight = weight;
        this.bias = bias;
    }

    /**
     * Computes the head's inputs, {@code [rows, width]}, released from all scopes.
     *
     * @param done called with the number of rows of each batch
     */
    public static Tensor features(Base base, Examples examples, IntConsumer done) {
        float[] features = {};
        int width = 0;
        for (int[] rows : new BatchSampler(examples.lengths(), BATCH, ExampleOrder.LENGTH_SORTED, 0, false).epoch(0)) {
            try (NoGrad noGrad = new NoGrad();
                    Scope scope = new Scope()) {
                ForwardPass pass = ForwardPass.inference(Hooks.NONE);
                Inputs inputs = LossFunction.inputs(examples.batch(rows, 0));
                HiddenStates states = base.forward(inputs, pass);
                float[] pooled = Tensors.floats(base.head().rows(states, pass));
                if (width == 0) {
                    width = pooled.length / rows.length;
                    features = new float[examples.size() * width];
                }
                for (int i = 0; i < rows.length; i++) {
                    System.arraycopy(pooled, i * width, features, rows[i] * width, width);
                }
            }
            done.accept(rows.length);
        }
        try (Scope scope = new Scope()) {
            return scope.release(Tensors.of(features, examples.size(), width));
        }
    }

    /** Returns the class of each row, [rows]. */
    public static int[] classes(Examples examples) {
        int[] classes = new int[examples.size()];
        for (int i = 0; i < classes.length; i++) {
            classes[i] = ((Target.ClassId) examples.get(i).target()).id();
        }
        return classes;
    }

    /**
     * Trains a probe.
     *
     * @param features the features, {@code [rows, width]}
     * @param classes the class of each row, [rows]
     * @param outputs the number of classes
     */
    public static LinearProbe train(Tensor features, int[] classes, int outputs, double learningRate) {
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
                    optimizer.step(learningRate * (1 - (double) step / STEPS));
                }
            }
            return new LinearProbe(weight, bias);
        }
    }

    /**
     * Returns the base with a probe as its head: the one of three learning rates with the best accuracy on the validation rows.
     */
    public static Base best(Base base, Examples train, Examples validation) {
        Tensor features = features(base, train, rows -> {});
        Tensor unseen = features(base, validation, rows -> {});
        int[] classes = classes(validation);
        LinearProbe best = null;
        int most = -1;
        for (double rate : new double[] {LEARNING_RATE / 3, LEARNING_RATE, LEARNING_RATE * 3}) {
            LinearProbe probe = train(features, classes(train), base.labels().size(), rate);
            float[][] logits = probe.logits(unseen);
            int found = (int) IntStream.range(0, classes.length)
                    .filter(row -> new SingleLabel(row, classes[row], logits[row]).predicted() == classes[row])
                    .count();
            if (found > most) {
                most = found;
                best = probe;
            }
        }
        return Objects.requireNonNull(best).on(base);
    }

    /**
     * Returns the base with this probe as its head.
     *
     * @throws InputException if its head is more than one linear layer
     */
    public Base on(Base base) {
        List<Linear> head = base.sites().stream()
                .filter(site -> site instanceof Linear linear && linear.role() == Role.HEAD)
                .map(Linear.class::cast)
                .toList();
        Tensor headBias = head.size() == 1 ? head.get(0).bias() : null;
        if (headBias == null) {
            throw new InputException("the head of " + base.name()
                    + " is more than a linear layer with a bias, so a linear probe can't take its place");
        }
        return base.withParameters(
                Map.of(base.nameOf(head.get(0).weight()), weight.detach(), base.nameOf(headBias), bias.detach()));
    }

    /** Returns the logits {@code [row][class]} of features {@code [rows, width]}. */
    public float[][] logits(Tensor features) {
        try (NoGrad noGrad = new NoGrad();
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
