package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.train.TrainSettings.Economy;
import dev.graft.train.optim.Adafactor;
import dev.graft.train.optim.AdamW;
import dev.graft.train.optim.AdamW8bit;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class MemoryEstimateTest {
    private static final Base LLAMA = Tiny.llama();
    private static final TrainSettings SETTINGS = TrainSettings.DEFAULT.withBatchSize(2);

    @Test
    void whatAStepNeedsIsMeasuredAndTheAdapterStaysAsItIs() {
        assumeTrue(ResidentMemory.bytes() > 0);
        Adapter adapter = Tiny.lora(LLAMA, 0, 1);
        Map<String, String> hashes = Tiny.hashes(adapter);
        MemoryEstimate estimate = MemoryEstimate.of(SETTINGS, adapter, Tiny.counting(8, 1), Long.MAX_VALUE);
        assumeTrue(estimate != null);
        assertThat(Tiny.hashes(adapter)).isEqualTo(hashes);
        assertThat(estimate.rows()).isEqualTo(2);
        assertThat(estimate.width()).isBetween(4, 19);
        long trained = 4 * adapter.trainableCount();
        assertThat(estimate.states()).as("two moments and the best values").isEqualTo((2 + 1) * trained);
        assertThat(estimate.update()).as("what an update makes").isEqualTo(2 * trained);
        assertThat(estimate.steps()).containsOnlyKeys(1, 2);
        assertThat(estimate.before()).isGreaterThan(50L << 20);
        assertThat(estimate.total()).isGreaterThan(estimate.before() + estimate.states());
        assertThat(estimate.text()).startsWith("about ").contains(" rows of " + estimate.width() + " tokens");
    }

    @Test
    void otherBatchesLieBetweenThoseThatWereMeasuredOrAreInProportion() {
        NavigableMap<Integer, Long> steps = new TreeMap<>(Map.of(1, 100L, 2, 160L, 4, 400L));
        MemoryEstimate one = new MemoryEstimate(1500, 1000, 100, 50, 2, steps, 4, 64);
        assertThat(one.total()).isEqualTo(Math.round(1.05 * (1100 + 400)));
        assertThat(new MemoryEstimate(0, 1000, 100, 50, 2, steps, 3, 64).total())
                .as("between two")
                .isEqualTo(Math.round(1.05 * (1100 + 280)));
        assertThat(one.withRows(2).total()).as("loading took more").isEqualTo(1500);
        assertThat(one.withRows(20).total()).as("in proportion").isEqualTo(Math.round(1.05 * (1100 + 2000)));
        MemoryEstimate large = new MemoryEstimate(0, 1000, 100, 500, 2, steps, 4, 64);
        assertThat(large.total()).as("an update takes more than a step").isEqualTo(Math.round(1.05 * 1600));
    }

    @Test
    void anUpdateTakesCopiesOfAllValuesUnlessItWorksPartByPart() {
        long values = 50_000_000;
        assertThat(AdamW.Settings.DEFAULT.stepBytes(values)).isEqualTo(2 << 20);
        assertThat(AdamW.Settings.DEFAULT.stepBytes(100)).isEqualTo(800);
        assertThat(new AdamW8bit.Settings(AdamW.Settings.DEFAULT, 4096).stepBytes(values))
                .isEqualTo(2 * 4 * values);
        assertThat(Adafactor.Settings.DEFAULT.stepBytes(values)).isEqualTo(2 * 4 * values);
    }

    @Test
    void noStepIsTriedThatWouldPassTheLimit() {
        assumeTrue(ResidentMemory.bytes() > 0);
        Adapter adapter = Tiny.lora(LLAMA, 0, 1);
        TrainSettings settings = SETTINGS.withBatchSize(64);
        MemoryEstimate estimate = MemoryEstimate.of(settings, adapter, Tiny.counting(64, 1), 1);
        assumeTrue(estimate != null);
        assertThat(estimate.steps()).containsOnlyKeys(1);
        assertThat(estimate.rows()).isEqualTo(64);
    }

    @Test
    void anAverageAndNoMomentsAreCounted() {
        assumeTrue(ResidentMemory.bytes() > 0);
        Adapter adapter = Tiny.lora(LLAMA, 0, 1);
        TrainSettings settings = SETTINGS.withBatchSize(1)
                .withOptimization(SETTINGS.optimization().withAveraging(0.9).withOptimizer(Adafactor.Settings.DEFAULT))
                .withEconomy(Economy.NONE.withCheckpointing(true));
        MemoryEstimate estimate = MemoryEstimate.of(settings, adapter, Tiny.counting(8, 1), Long.MAX_VALUE);
        assumeTrue(estimate != null);
        assertThat(estimate.states()).isEqualTo(2 * 4 * adapter.trainableCount());
    }
}
