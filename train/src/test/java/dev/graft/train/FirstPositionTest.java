package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.methods.bottleneck.Houlsby;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Examples;
import dev.graft.train.loss.LossFunction;
import dev.graft.train.loss.Losses;
import dev.graft.train.optim.FlatParameters;
import java.util.List;
import java.util.function.Function;
import org.bytedeco.pytorch.Scalar;
import org.junit.jupiter.api.Test;

/** A classifier that reads the first position is trained without the others in its last layer; a pass that collects hidden states has all. */
class FirstPositionTest {
    private static final Base BERT = Tiny.classifier("large", "small");
    private static final Examples ROWS = Tiny.labelled(8, 3);

    private static float[] gradients(Adapter adapter, Function<Hooks, ForwardPass> passes) {
        FlatParameters parameters = new FlatParameters(adapter.trainable());
        LossFunction lossFunction = Losses.of(BERT, 0, (hooks, rows) -> passes.apply(hooks));
        try (DataParallel workers = new DataParallel(lossFunction, adapter, parameters, 2)) {
            workers.backward(List.of(ROWS.batch(new int[] {0, 1, 2, 3, 4}, 0)), 5, 1, 1, false);
            return Tensors.floats(parameters.gradients());
        }
    }

    private static void areThoseOfAllPositions(Adapter adapter) {
        adapter.trainable().values().forEach(value -> value.detach().add_(new Scalar(0.02)));
        float[] some = gradients(adapter, ForwardPass::training);
        float[] all = gradients(adapter, hooks -> ForwardPass.training(hooks).withHiddenStates());
        assertThat(gradients(adapter, hooks -> ForwardPass.training(hooks).checkpointed()))
                .isEqualTo(some);
        double largest = 0;
        for (int i = 0; i < all.length; i++) {
            largest = Math.max(largest, Math.abs(all[i]));
            assertThat(some[i]).isCloseTo(all[i], offset(1e-6f + 1e-4f * Math.abs(all[i])));
        }
        assertThat(largest).isGreaterThan(1e-3);
    }

    @Test
    void gradientsAreThoseOfAllPositions() {
        areThoseOfAllPositions(Tiny.lora(BERT, 0, 7));
        areThoseOfAllPositions(Adapter.create(BERT, Houlsby.DEFAULT, 7));
    }
}
