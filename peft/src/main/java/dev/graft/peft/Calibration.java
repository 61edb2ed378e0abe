package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Hidden;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import java.util.List;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;

/**
 * Batches that some methods look at before training, such as LoRA started by EVA, CorDA or LoRA-GA.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, config, Calibration.of(base, batches), 42);
 * }</pre>
 */
public interface Calibration {
    /**
     * Runs every batch forward, without gradients.
     *
     * @param labelled whether only positions with a label count, rather than all but padding
     * @param hooks what a batch runs with, given which of its positions count: {@code [batch, seq]} int64, 1 or 0
     */
    void forward(boolean labelled, Function<Tensor, Hooks> hooks);

    /** Runs every batch forward and backward from its mean loss; returns how many there were. */
    int backward(Hooks hooks);

    /** One batch forward, through the head too unless it is as wide as the vocabulary. */
    static void forward(Base base, Inputs batch, Pass pass) {
        Hidden hidden = base.hidden(batch, pass);
        Linear output = base.head().output();
        if (output != null && output.out() != base.backbone().vocabSize()) {
            base.logits(hidden, pass);
        }
    }

    /** Batches without labels: every position but padding counts, and there is no loss. */
    static Calibration of(Base base, List<Inputs> batches) {
        return new Calibration() {
            @Override
            public void forward(boolean labelled, Function<Tensor, Hooks> hooks) {
                for (Inputs batch : batches) {
                    try (NoGrad off = new NoGrad();
                            Scope scope = new Scope()) {
                        Calibration.forward(base, batch, Pass.inference(hooks.apply(batch.mask())));
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
