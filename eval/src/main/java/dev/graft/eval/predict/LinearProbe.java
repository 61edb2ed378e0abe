package dev.graft.eval.predict;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Hidden;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.BatchPlan;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Order;
import dev.graft.train.data.Target;
import dev.graft.train.loss.Objective;
import dev.graft.train.loss.Prediction.OneClass;
import dev.graft.train.optim.AdamW;
import dev.graft.train.optim.FlatParameters;
import dev.graft.train.optim.Optimizer;
import dev.graft.train.optim.Optimizer.Decay;
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
 * What a frozen base knows already: a linear classifier on its pooled hidden states (Alain and Bengio, 2016). The base never changes, so
 * each row goes through it once; the classifier then sees all rows in every step. Its settings are the best of 27 on the last 20 training
 * rows of each kind, trained on the others: steps 100, 200, 300; rates 0.003, 0.01, 0.03; weight decay 0, 0.3, 1.
 */
public final class LinearProbe {
    private static final int BATCH = 64;
    private static final int STEPS = 100;

    /** The rate that it learns best at on definitions of nouns. */
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
     * The rows that the base's head reads, {@code [rows, width]}, released from all scopes.
     *
     * @param done is told the number of rows of each batch
     */
    public static Tensor features(Base base, Examples examples, IntConsumer done) {
        float[] features = {};
        int width = 0;
        for (int[] rows : new BatchPlan(examples.lengths(), BATCH, Order.LENGTH_SORTED, 0, false).epoch(0)) {
            try (NoGrad off = new NoGrad();
                    Scope scope = new Scope()) {
                Pass pass = Pass.inference(Hooks.NONE);
                Inputs inputs = Objective.inputs(examples.batch(rows, 0));
                Hidden states = base.hidden(inputs, pass);
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

    /** The class of each row. */
    public static int[] classes(Examples examples) {
        int[] classes = new int[examples.size()];
        for (int i = 0; i < classes.length; i++) {
            classes[i] = ((Target.ClassId) examples.get(i).target()).id();
        }
        return classes;
    }

    /** Trains on features {@code [rows, width]} and the class of each. */
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

    /** The base with the probe in place of its head that finds most classes of the validation rows, of three learning rates. */
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
                    .filter(row -> new OneClass(row, classes[row], logits[row]).predicted() == classes[row])
                    .count();
            if (found > most) {
                most = found;
                best = probe;
            }
        }
        return Objects.requireNonNull(best).on(base);
    }

    /**
     * The base with this probe in place of its head.
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
        return base.with(
                Map.of(base.nameOf(head.get(0).weight()), weight.detach(), base.nameOf(headBias), bias.detach()));
    }

    /** {@code [row][class]}. */
    public float[][] logits(Tensor features) {
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
