package dev.graft.train;

import dev.graft.models.Base;
import dev.graft.models.Pass;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Calibration;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Target;
import dev.graft.train.data.Targets;
import dev.graft.train.loss.Objective;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Training rows for methods that look at data before training; the loss is that of training, without label smoothing.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, config, CalibrationRows.first(base, examples, 8), 42);
 * }</pre>
 */
public final class CalibrationRows implements Calibration {
    /** As many as CorDA's paper takes; EVA and LoRA-GA need fewer. */
    private static final int ROWS = 256;

    private final Base base;
    private final Objective objective;
    private final List<Batch> batches;

    private CalibrationRows(Base base, Objective objective, List<Batch> batches) {
        this.base = base;
        this.objective = objective;
        this.batches = batches;
    }

    /** The first 256 rows. */
    public static CalibrationRows first(Base base, Examples rows, int batchSize) {
        Objective objective = Objective.of(base, rows.goal(), 0);
        List<Batch> batches = new ArrayList<>();
        int count = Math.min(ROWS, rows.size());
        for (int from = 0; from < count; from += batchSize) {
            int[] some =
                    IntStream.range(from, Math.min(count, from + batchSize)).toArray();
            batches.add(objective.prepared(Hooks.NONE, rows.batch(some, 0)));
        }
        return new CalibrationRows(base, objective, batches);
    }

    @Override
    public void forward(boolean labelled, Function<Tensor, Hooks> hooks) {
        for (Batch batch : batches) {
            try (NoGrad off = new NoGrad();
                    Scope scope = new Scope()) {
                Tensor counted = labelled
                                && (batch.targets() instanceof Targets.Tokens
                                        || batch.targets() instanceof Targets.InPlace)
                        ? labelled(batch)
                        : Tensors.of(batch.attentionMask(), batch.rows(), batch.width());
                Calibration.forward(base, Objective.inputs(batch), Pass.inference(hooks.apply(counted)));
            }
        }
    }

    private static Tensor labelled(Batch batch) {
        Tensor labels = Tensors.of(batch.targets().tokenLabels(), batch.rows(), batch.width());
        return Ops.to(labels.ne(new Scalar((long) Target.NONE)), ScalarType.Long);
    }

    @Override
    public int backward(Hooks hooks) {
        for (Batch batch : batches) {
            try (Scope scope = new Scope()) {
                objective.backward(hooks, batch, objective.terms(hooks, batch));
            }
        }
        return batches.size();
    }
}
