package dev.graft.train.loss;

import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.forward.AuxiliaryOutput;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.LoadBalance;
import dev.graft.models.heads.Head;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.PromptTargets;
import dev.graft.models.sites.Site;
import dev.graft.models.sites.SoftPrompt;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Profiler;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Tape;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Target;
import dev.graft.train.data.TrainingObjective;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Cross-entropy over labelled tokens: the next token of a causal model, the label of each token otherwise. The head is applied only to
 * positions with a label, in chunks. The gradient of a chunk is computed and its logits are freed before the next one, so logits for a
 * whole batch [rows · width, vocabulary] never exist. A teacher's logits are computed in the same chunks.
 */
final class TokenLoss implements LossFunction {
    private static final int CHUNK = 256;

    /** Chunks for where memory matters more than time, and where nothing is learnt. */
    private static final int SMALL_CHUNK = 64;

    private final Base base;
    private final double labelSmoothing;
    private final BiFunction<Hooks, Batch, ForwardPass> passes;
    private final boolean shifted;
    private final TrainingObjective.@Nullable Distill objective;

    /** @param objective null without a teacher */
    TokenLoss(
            Base base,
            double labelSmoothing,
            TrainingObjective.@Nullable Distill objective,
            BiFunction<Hooks, Batch, ForwardPass> passes) {
        this.objective = objective;
        this.passes = passes;
        this.base = base;
        this.labelSmoothing = labelSmoothing;
        this.shifted = base.task() == Task.CAUSAL_LM || base.task() == Task.SEQ_2_SEQ_LM;
    }

    @Override
    public boolean canPack(Hooks hooks) {
        return base.task() == Task.CAUSAL_LM
                && base.supportsPacking(hooks)
                // The balance of a mixture counts a prompt once for each text.
                && (!base.backbone().hasLoadBalanceLoss() || !hasPrompt(hooks))
                && (objective == null
                        || objective
                                .teacher()
                                .base()
                                .supportsPacking(objective.teacher().hooks()));
    }

    @Override
    public long terms(Hooks hooks, Batch batch) {
        if (batch.decoder() != null) {
            // A prompt is the encoder's.
            return labelled(batch, 0).labels.length;
        }
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            SoftPrompt prompt = prompt(hooks, batch.rows());
            return prompt == null
                    ? labelled(batch, 0).labels.length
                    : labelled(batch, prompt.length(), prompt.targets()).labels.length;
        }
    }

    @Override
    public boolean hasPrompt(Hooks hooks) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            return prompt(hooks, 1) != null;
        }
    }

    private @Nullable SoftPrompt prompt(Hooks hooks, int rows) {
        for (Site site : base.sites()) {
            if (site instanceof Embedding table && table.input()) {
                SoftPrompt prompt = hooks.prompt(table, rows, ForwardPass.inference(hooks));
                if (prompt != null) {
                    return prompt;
                }
            }
        }
        return null;
    }

    @Override
    public @Nullable ExpertLoad expertLoad(Hooks hooks, Batch batch) {
        if (!shifted || !base.backbone().hasLoadBalanceLoss()) {
            return null;
        }
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            ForwardPass pass = ForwardPass.evaluation(hooks);
            base.forward(LossFunction.inputs(batch), pass);
            LoadBalance.Load routing = pass.loadBalance().load();
            return routing == null ? null : new ExpertLoad(routing, terms(hooks, batch));
        }
    }

    @Override
    public Loss backward(Hooks hooks, Batch batch, double divisor) {
        return backward(hooks, batch, divisor, null);
    }

    @Override
    public Loss backward(Hooks hooks, Batch batch, double divisor, @Nullable ExpertLoad step) {
        try (Scope scope = new Scope()) {
            // The teacher reads before the student has anything to keep.
            SoftTargets soft = objective == null ? null : SoftTargets.of(objective, batch);
            ForwardPass pass = passes.apply(hooks, batch);
            HiddenStates hidden = base.forward(LossFunction.inputs(batch), pass);
            Labelled labelled = labelled(batch, hidden.prompt(), pass.promptTargets());
            if (labelled.labels.length == 0) {
                return step == null ? Loss.NONE : alone(pass, divisor, step);
            }
            long[] places = soft == null ? new long[0] : places(batch, labelled, hidden.prompt(), soft.prompt());
            SoftTargets.Sums sums = head(base.head(), labelled.rows(hidden), labelled, pass, soft, places, divisor);
            double sum = sums.loss() + balance(pass, labelled.labels.length, divisor, step);
            for (AuxiliaryOutput auxiliary : pass.auxiliaries()) {
                Tensor rows = labelled.rows(auxiliary.hidden());
                double once = divisor / auxiliary.weight();
                sum += auxiliary.weight()
                        * head(auxiliary.headOr(base.head()), rows, labelled, pass, null, places, once)
                                .loss();
            }
            pass.backward();
            Loss loss = new Loss(sum, labelled.labels.length);
            return soft == null ? loss : SoftTargets.withDivergence(loss, sums.divergence());
        }
    }

    /** Positions at which a teacher's hidden states predict the same labels: behind its own prompt. Negative where nothing of it does. */
    private long[] places(Batch batch, Labelled labelled, long prompt, int before) {
        long width = batch.targetWidth();
        int offset = shifted ? 1 : 0;
        return Arrays.stream(labelled.positions)
                .map(position -> {
                    long row = position / (prompt + width);
                    long token = position % (prompt + width) + offset - prompt;
                    long place = before + token - offset;
                    return token < 0 || place < 0 ? -1 : row * (before + width) + place;
                })
                .toArray();
    }

    /** The sum of the losses of rows, whose gradient goes on from them. */
    private SoftTargets.Sums head(
            Head head,
            Tensor rows,
            Labelled labelled,
            ForwardPass pass,
            @Nullable SoftTargets soft,
            long[] places,
            double divisor) {
        Tensor cut = rows.detach().set_requires_grad(true);
        SoftTargets.Sums sums = Profiler.time(
                "vocabulary head and loss", () -> chunks(head, cut, labelled, pass, soft, places, divisor));
        if (rows.requires_grad()) {
            BackwardPass.from(rows, cut.grad());
        }
        return sums;
    }

    /** The sum of the losses of the rows; their gradients are formed chunk by chunk. */
    private SoftTargets.Sums chunks(
            Head head,
            Tensor rows,
            Labelled labelled,
            ForwardPass pass,
            @Nullable SoftTargets soft,
            long[] places,
            double divisor) {
        int most = pass.isCheckpointed() ? SMALL_CHUNK : CHUNK;
        int all = labelled.labels.length;
        long chunks = (all + most - 1L) / most;
        Head.Formula formula = soft == null ? head.formula(pass) : null;
        ScalarType small = base.numerics().small();
        double sum = 0;
        double divergence = 0;
        for (long i = 0; i < chunks; i++) {
            int start = (int) (all * i / chunks);
            int size = (int) (all * (i + 1) / chunks) - start;
            try (Scope chunk = new Scope()) {
                Tensor labels = labelled.labels(start, size);
                Tensor weights = labelled.weights(start, size, small);
                if (formula != null) {
                    sum += formula(formula, rows, start, labels, weights, 1 / divisor);
                    continue;
                }
                Tensor logits = head.project(rows.narrow(0, start, size), labels, pass);
                if (soft == null) {
                    sum += CrossEntropy.backward(logits, labels, weights, labelSmoothing, 1 / divisor);
                } else {
                    long[] there = Arrays.copyOfRange(places, start, start + size);
                    SoftTargets.Sums sums = soft.backward(logits, labels, weights, there, labelSmoothing, 1 / divisor);
                    sum += sums.loss();
                    divergence += sums.divergence();
                }
            }
        }
        return new SoftTargets.Sums(sum, divergence);
    }

    /** The sum of the losses of some rows, whose gradient is added to that of all. */
    private double formula(Head.Formula formula, Tensor rows, int start, Tensor labels, Tensor weights, double factor) {
        try (NoGrad noGrad = new NoGrad()) {
            Tensor x = Ops.to(
                    rows.detach().narrow(0, start, labels.size(0)),
                    base.numerics().base());
            CrossEntropy.Gradient gradient =
                    CrossEntropy.inPlace(formula.logits(x, labels), labels, weights, labelSmoothing, factor);
            Tensor all = Tape.gradient(rows);
            if (all == null) {
                all = Tensors.zeros(rows.scalar_type(), Tensors.shape(rows));
                Tape.accumulate(rows, all);
            }
            all.narrow(0, start, x.size(0)).copy_(formula.backward(x, gradient.values()));
            return gradient.sum();
        }
    }

    /** The load-balance loss of a mixture of experts, counted once for each labelled token: it adds to the mean. */
    private double balance(ForwardPass pass, long own, double divisor, @Nullable ExpertLoad step) {
        LoadBalance routing = pass.loadBalance();
        Tensor balance = step != null ? routing.loss(step.routing()) : shifted ? routing.loss() : null;
        long terms = step == null ? own : step.terms();
        if (balance == null) {
            return 0;
        }
        if (balance.requires_grad()) {
            Ops.scale(balance, terms / divisor).backward();
        }
        return Tensors.item(balance) * terms;
    }

    /** A part without labels has its share in the balance of the others. */
    private Loss alone(ForwardPass pass, double divisor, ExpertLoad step) {
        double sum = balance(pass, 0, divisor, step);
        pass.backward();
        return new Loss(sum, 0);
    }

    @Override
    public Loss predict(Hooks hooks, Batch batch, Consumer<? super Prediction> predictions) {
        return base.task() == Task.TOKEN_CLS ? tags(hooks, batch, predictions) : tokens(hooks, batch, predictions);
    }

    private Loss tags(Hooks hooks, Batch batch, Consumer<? super Prediction> predictions) {
        List<List<Prediction.SingleLabel>> tags = new ArrayList<>();
        for (int row = 0; row < batch.rows(); row++) {
            tags.add(new ArrayList<>());
        }
        Loss loss = Loss.NONE;
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            ForwardPass pass = ForwardPass.evaluation(hooks);
            HiddenStates hidden = base.forward(LossFunction.inputs(batch), pass);
            Labelled labelled = labelled(batch, hidden.prompt());
            int count = labelled.labels.length;
            if (count > 0) {
                Tensor logits = Ops.to(
                        base.head().project(labelled.rows(hidden), pass),
                        base.numerics().small());
                Tensor losses = CrossEntropy.of(logits, labelled.labels(0, count), 0);
                loss = new Loss(Tensors.item(losses.sum()), count);
                float[] values = Tensors.floats(logits);
                int classes = values.length / count;
                for (int i = 0; i < count; i++) {
                    int row = (int) (labelled.positions[i] / hidden.last().size(1));
                    tags.get(row)
                            .add(new Prediction.SingleLabel(
                                    batch.rowIndices()[row],
                                    (int) labelled.labels[i],
                                    Arrays.copyOfRange(values, i * classes, (i + 1) * classes)));
                }
            }
        }
        for (int row = 0; row < batch.rows(); row++) {
            predictions.accept(new Prediction.Tags(batch.rowIndices()[row], tags.get(row)));
        }
        return loss;
    }

    private Loss tokens(Hooks hooks, Batch batch, Consumer<? super Prediction> predictions) {
        double[] likelihoods = new double[batch.rows()];
        int[] tokens = new int[batch.rows()];
        int[] correct = new int[batch.rows()];
        Loss loss = Loss.NONE;
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            ForwardPass pass = ForwardPass.evaluation(hooks);
            HiddenStates hidden = base.forward(LossFunction.inputs(batch), pass);
            long width = hidden.last().size(1);
            Labelled labelled = labelled(batch, hidden.prompt());
            Tensor rows = labelled.rows(hidden);
            for (int start = 0; start < labelled.labels.length; start += SMALL_CHUNK) {
                int size = Math.min(SMALL_CHUNK, labelled.labels.length - start);
                try (Scope chunk = new Scope()) {
                    Tensor labels = labelled.labels(start, size);
                    Tensor logits = Ops.to(
                            base.head().project(rows.narrow(0, start, size), labels, pass),
                            base.numerics().small());
                    double[] losses = Tensors.doubles(CrossEntropy.of(logits, labels, 0));
                    long[] hits = Tensors.longs(Ops.argmax(logits, 1).eq(labels));
                    for (int i = 0; i < size; i++) {
                        int row = (int) (labelled.positions[start + i] / width);
                        likelihoods[row] += losses[i];
                        tokens[row]++;
                        correct[row] += (int) hits[i];
                    }
                }
            }
        }
        for (int row = 0; row < batch.rows(); row++) {
            loss = loss.plus(new Loss(likelihoods[row], tokens[row]));
            predictions.accept(
                    new Prediction.Tokens(batch.rowIndices()[row], likelihoods[row], tokens[row], correct[row]));
        }
        return loss;
    }

    /** The rows of the flattened hidden states that have a label, the labels, and by how much each counts. */
    @SuppressWarnings("ArrayRecordComponent") // made once for one step, never shared
    private record Labelled(long[] positions, long[] labels, float[] weights) {
        Tensor rows(HiddenStates hidden) {
            Tensor last = hidden.last();
            return last.reshape(-1, last.size(2)).index_select(0, Tensors.of(positions, positions.length));
        }

        Tensor labels(int start, int size) {
            return Tensors.of(Arrays.copyOfRange(labels, start, start + size), size);
        }

        Tensor weights(int start, int size, ScalarType type) {
            return Ops.to(Tensors.of(Arrays.copyOfRange(weights, start, start + size), size), type);
        }
    }

    /** The labels of the texts alone, which are what counts when a model is measured. */
    private Labelled labelled(Batch batch, long prompt) {
        return labelled(batch, prompt, PromptTargets.none(Math.toIntExact(batch.rows() * prompt)));
    }

    /**
     * Positions that predict: with a prompt in front even the first token has a position that predicts it, the prompt's last where texts
     * share one, and the prompt may have labels of its own.
     */
    private Labelled labelled(Batch batch, long prompt, PromptTargets targets) {
        long[] own = batch.targets().tokenLabels();
        int width = batch.targetWidth();
        int offset = shifted ? 1 : 0;
        int before = Math.toIntExact(prompt);
        long[] positions = new long[batch.rows() * (before + width)];
        long[] labels = new long[positions.length];
        float[] weights = new float[positions.length];
        int count = 0;
        for (int row = 0; row < batch.rows(); row++) {
            for (int i = offset; i < before + width; i++) {
                boolean prompts = i < before;
                long label = prompts ? targets.labels()[row * before + i] : own[row * width + i - before];
                if (label != Target.NONE) {
                    int predicts = i > before && begins(batch, row * width + i - before) ? before : i;
                    positions[count] = (long) row * (before + width) + predicts - offset;
                    weights[count] = prompts ? (float) targets.weights()[row * before + i] : 1;
                    labels[count++] = label;
                }
            }
        }
        return new Labelled(
                Arrays.copyOf(positions, count), Arrays.copyOf(labels, count), Arrays.copyOf(weights, count));
    }

    /** Returns whether a token is the first of its text, which isn't the first of its row. */
    private static boolean begins(Batch batch, int token) {
        long[] segments = batch.segments();
        return segments != null && segments[token] != segments[token - 1];
    }
}
