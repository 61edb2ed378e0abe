package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.train.optim.Optimizer;
import dev.graft.train.optim.Optimizer.Decay;
import dev.graft.train.optim.Sgd;
import org.junit.jupiter.api.Test;

class MemoryEstimateTest {
    private static final Base LLAMA = Tiny.llama();
    private static final Adapter ADAPTER = Tiny.lora(LLAMA, 0, 1);
    private static final TrainSettings SETTINGS = TrainSettings.DEFAULT.withBatchSize(2);

    private static TrainSettings with(Optimizer.Settings optimizer) {
        return SETTINGS.with(SETTINGS.optimization().with(optimizer));
    }

    @Test
    void what_is_held_is_counted() {
        MemoryEstimate estimate = MemoryEstimate.of(ADAPTER, SETTINGS, 10);
        assertThat(estimate.base()).isEqualTo(4 * LLAMA.parameterCount());
        assertThat(estimate.adapter()).isEqualTo(4 * ADAPTER.trainableCount());
        assertThat(estimate.gradients()).isEqualTo(estimate.adapter());
        assertThat(estimate.optimizer()).isEqualTo(2 * estimate.adapter());
        assertThat(estimate.copies()).isEqualTo(estimate.adapter());
        assertThat(MemoryEstimate.of(ADAPTER, with(new Sgd.Settings(0, 0, Decay.ALL)), 10)
                        .optimizer())
                .isEqualTo(estimate.adapter());
        assertThat(estimate.logits()).as("20 rows of 64 logits").isEqualTo(20 * 64 * 4 * 4);
        assertThat(estimate.total()).isGreaterThan(estimate.process() + estimate.base() + estimate.activations());
        assertThat(estimate.text()).startsWith("about 280 MB: process 280, base 0");
    }

    @Test
    void activations_grow_with_tokens_and_logits_only_up_to_a_limit() {
        MemoryEstimate few = MemoryEstimate.of(ADAPTER, SETTINGS, 10);
        MemoryEstimate many = MemoryEstimate.of(ADAPTER, SETTINGS.withBatchSize(64), 10);
        // 2 layers; q and o 32 x 32, k and v 32 x 16, gate and up 32 x 64, down 64 x 32; 7.2 bytes each.
        long inAndOut = 2 * (2 * 64 + 2 * 48 + 3 * 96);
        assertThat(few.activations()).isEqualTo(Math.round(7.2 * inAndOut * 20));
        assertThat(many.activations()).isEqualTo(Math.round(7.2 * inAndOut * 640));
        assertThat(many.logits()).isEqualTo(256 * 64 * 4 * 4);
        TrainSettings checkpointed = SETTINGS.withBatchSize(64).with(new TrainSettings.Economy(true));
        assertThat(MemoryEstimate.of(ADAPTER, checkpointed, 10).activations())
                .as("one layer of two, and the input of each")
                .isEqualTo(Math.round((7.2 * inAndOut / 2 + 2 * 32 * 4) * 640));
    }
}
