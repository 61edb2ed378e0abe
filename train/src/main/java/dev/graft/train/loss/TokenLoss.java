package dev.graft.train.loss;

import dev.graft.models.Base;
import dev.graft.models.Hidden;
import dev.graft.models.Pass;
import dev.graft.models.Task;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Target;
import dev.graft.train.data.Targets;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/**
 * Cross-entropy over labelled tokens: the next token of a causal model, the label of each token otherwise. Only rows with a label reach
 * the head, some at a time: their gradient is formed and their logits dropped before the next ones are made, so logits for a whole batch
 * never exist.
 */
final class TokenLoss implements Objective {
    private static final int CHUNK = 256;
    private static final int SUM = 2;

    private final Base base;
    private final double labelSmoothing;
    private final boolean shifted;

    TokenLoss(Base base, double labelSmoothing) {
        this.base = base;
        this.labelSmoothing = labelSmoothing;
        this.shifted = base.task() == Task.CAUSAL_LM;
    }

    @Override
    public Loss backward(Hooks hooks, Batch batch, double divisor) {
        try (Scope scope = new Scope()) {
            Pass pass = Pass.training(hooks);
            Hidden hidden = base.hidden(Objective.inputs(batch), pass);
            Labelled labelled = labelled(batch, hidden.prompt());
            if (labelled.labels.length == 0) {
                return Loss.NONE;
            }
            Tensor rows = labelled.rows(hidden);
            Tensor cut = rows.detach().set_requires_grad(true);
            double sum = 0;
            for (int start = 0; start < labelled.labels.length; start += CHUNK) {
                int size = Math.min(CHUNK, labelled.labels.length - start);
                try (Scope chunk = new Scope()) {
                    Tensor loss = loss(cut.narrow(0, start, size), labelled.labels(start, size), pass);
                    Ops.scale(loss, 1 / divisor).backward();
                    sum += Tensors.item(loss);
                }
            }
            if (rows.requires_grad()) {
                Backward.from(rows, cut.grad());
            }
            return new Loss(sum, labelled.labels.length);
        }
    }

    @Override
    public Loss evaluate(Hooks hooks, Batch batch) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Pass pass = Pass.inference(hooks);
            Hidden hidden = base.hidden(Objective.inputs(batch), pass);
            Labelled labelled = labelled(batch, hidden.prompt());
            double sum = 0;
            for (int start = 0; start < labelled.labels.length; start += CHUNK) {
                int size = Math.min(CHUNK, labelled.labels.length - start);
                try (Scope chunk = new Scope()) {
                    Tensor rows = labelled.rows(hidden).narrow(0, start, size);
                    sum += Tensors.item(loss(rows, labelled.labels(start, size), pass));
                }
            }
            return new Loss(sum, labelled.labels.length);
        }
    }

    private Tensor loss(Tensor rows, Tensor labels, Pass pass) {
        Tensor logits = Ops.to(base.head().project(rows, pass), base.numerics().small());
        return torch.cross_entropy_loss(logits, labels, new TensorOptional(), SUM, Target.NONE, labelSmoothing);
    }

    /** The rows of the flattened hidden states that have a label, and the labels. */
    @SuppressWarnings("ArrayRecordComponent") // made once for one step, never shared
    private record Labelled(long[] positions, long[] labels) {
        Tensor rows(Hidden hidden) {
            Tensor last = hidden.last();
            return last.reshape(-1, last.size(2)).index_select(0, Tensors.of(positions, positions.length));
        }

        Tensor labels(int start, int size) {
            return Tensors.of(Arrays.copyOfRange(labels, start, start + size), size);
        }
    }

    /** With a prompt in front even the first token has a position that predicts it. */
    private Labelled labelled(Batch batch, long prompt) {
        if (!(batch.targets() instanceof Targets.Tokens tokens)) {
            throw new IllegalArgumentException("a loss over tokens needs token labels");
        }
        int width = batch.width();
        int offset = shifted ? 1 : 0;
        long[] positions = new long[tokens.labels().length];
        long[] labels = new long[positions.length];
        int count = 0;
        for (int row = 0; row < batch.rows(); row++) {
            for (int i = prompt > 0 ? 0 : offset; i < width; i++) {
                long label = tokens.labels()[row * width + i];
                if (label != Target.NONE) {
                    positions[count] = row * (prompt + width) + prompt + i - offset;
                    labels[count++] = label;
                }
            }
        }
        return new Labelled(Arrays.copyOf(positions, count), Arrays.copyOf(labels, count));
    }
}
