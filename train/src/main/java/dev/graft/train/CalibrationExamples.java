package dev.graft.train;

import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.CalibrationBatches;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.BatchTargets;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Target;
import dev.graft.train.loss.LossFunction;
import dev.graft.train.loss.Losses;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Training rows for methods that are initialised from data, such as CorDA, EVA and LoRA-GA. The loss is that of training, without label
 * smoothing.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, config, CalibrationExamples.first(base, examples, 8), 42);
 * }</pre>
 */
public final class CalibrationExamples implements CalibrationBatches {
    /** The number that CorDA's paper uses; EVA and LoRA-GA need fewer. */
    private static final int ROWS = 256;

    private final Base base;
    private final LossFunction lossFunction;
    private final List<Batch> batches;

    private CalibrationExamples(Base base, LossFunction lossFunction, List<Batch> batches) {
        this.base = base;
        this.lossFunction = lossFunction;
        this.batches = batches;
    }

    /** Creates calibration batches from the first 256 rows. */
    public static CalibrationExamples first(Base base, Examples rows, int batchSize) {
        LossFunction lossFunction = Losses.of(base, rows.objective(), 0);
        List<Batch> batches = new ArrayList<>();
        int count = Math.min(ROWS, rows.size());
        for (int from = 0; from < count; from += batchSize) {
            int[] some =
                    IntStream.range(from, Math.min(count, from + batchSize)).toArray();
            batches.add(lossFunction.prepare(Hooks.NONE, rows.batch(some, 0)));
        }
        return new CalibrationExamples(base, lossFunction, batches);
    }

    @Override
    public void forward(boolean labelled, Function<Tensor, Hooks> hooks) {
        for (Batch batch : batches) {
            try (NoGrad noGrad = new NoGrad();
                    Scope scope = new Scope()) {
                Tensor counted = labelled
                                && (batch.targets() instanceof BatchTargets.Tokens
                                        || batch.targets() instanceof BatchTargets.InPlace)
                        ? labelled(batch)
                        : Tensors.of(batch.attentionMask(), batch.rows(), batch.width());
                CalibrationBatches.forward(
                        base, LossFunction.inputs(batch), ForwardPass.inference(hooks.apply(counted)));
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
                lossFunction.backward(hooks, batch, lossFunction.terms(hooks, batch));
            }
        }
        return batches.size();
    }
}
