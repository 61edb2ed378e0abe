package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import java.util.List;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;

/**
 * Batches that some methods analyse before training, such as LoRA initialised by EVA, CorDA or LoRA-GA.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, config, CalibrationBatches.of(base, batches), 42);
 * }</pre>
 */
public interface CalibrationBatches {
    /**
     * Runs every batch forward, without gradients.
     *
     * @param labelled whether only positions with a label count, rather than all but padding
     * @param hooks returns the hooks of a batch for its counted positions, {@code [batch, seq]} int64, 1 or 0
     */
    void forward(boolean labelled, Function<Tensor, Hooks> hooks);

    /** Runs every batch forward, and backward from its mean loss; returns the number of batches. */
    int backward(Hooks hooks);

    /** Runs one batch forward, including the head unless it is as wide as the vocabulary. */
    static void forward(Base base, Inputs batch, ForwardPass pass) {
        HiddenStates hidden = base.forward(batch, pass);
        Linear output = base.head().output();
        if (output != null && output.out() != base.backbone().vocabSize()) {
            base.logits(hidden, pass);
        }
    }

    /** Returns batches without labels: every position except padding counts, and there is no loss. */
    static CalibrationBatches of(Base base, List<Inputs> batches) {
        return new CalibrationBatches() {
            @Override
            public void forward(boolean labelled, Function<Tensor, Hooks> hooks) {
                for (Inputs batch : batches) {
                    try (NoGrad noGrad = new NoGrad();
                            Scope scope = new Scope()) {
                        CalibrationBatches.forward(base, batch, ForwardPass.inference(hooks.apply(batch.mask())));
                    }
                }
            }

            @Override
            public int backward(Hooks hooks) {
                throw new InputException(
                        "these calibration batches have no labels, so there is no gradient to look at");
            }
        };
    }
}
