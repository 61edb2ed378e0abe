package dev.graft.models.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.ops.FusedOps;
import dev.graft.tensor.ops.KernelRecording;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Steps that are repeated give what their layers give, whatever these are made of. */
class ReplayedLayersTest {
    private final Scope scope = new Scope();
    private final ReplayedLayers replayed = new ReplayedLayers();
    private int runs;

    @BeforeEach
    void needLoops() {
        assumeTrue(KernelRecording.isAvailable());
    }

    @AfterEach
    void free() {
        replayed.close();
        scope.close();
    }

    private static Tensor values(long seed) {
        return Rng.of(seed, "repeated").normal(0, 1, 8, 1, 64);
    }

    private void step(Object way, long seed, UnaryOperator<Tensor> layers) {
        Tensor x = values(seed);
        Tensor answer = replayed.run(way, List.of(x), () -> {
            runs++;
            return layers.apply(x);
        });
        assertThat(answer.equal(layers.apply(values(seed)))).as("step %d", seed).isTrue();
    }

    private void steps(int first, UnaryOperator<Tensor> layers) {
        for (int seed = first; seed < 6; seed++) {
            step("a", seed, layers);
        }
    }

    private static Tensor ofLoops(Tensor x) {
        return FusedOps.add(x, FusedOps.add(x, x));
    }

    private static Tensor ofMore(Tensor x) {
        return FusedOps.add(x, x.mul(new Scalar(3.0)));
    }

    @Test
    void loopsAreRepeatedOnceTheyWereCompared() {
        steps(0, ReplayedLayersTest::ofLoops);
        assertThat(runs).isEqualTo(2);
    }

    @Test
    void layersThatDoMoreAlwaysRun() {
        steps(0, ReplayedLayersTest::ofMore);
        assertThat(runs).isEqualTo(6);
    }

    @Test
    void whatWasComparedIsNotComparedAgainWhenMemoryMoves() {
        step("a", 0, ReplayedLayersTest::ofLoops);
        step("a", 1, ReplayedLayersTest::ofLoops);
        replayed.close();
        steps(2, ReplayedLayersTest::ofLoops);
        assertThat(runs).isEqualTo(3);
    }

    @Test
    void eachWayIsComparedForItself() {
        for (int seed = 0; seed < 60; seed++) {
            step(seed % 4, seed, seed % 2 == 0 ? ReplayedLayersTest::ofLoops : ReplayedLayersTest::ofMore);
        }
        assertThat(runs).isEqualTo(2 * 2 + 2 * 15);
    }

    @Test
    void moreWaysThanAreKeptAreRight() {
        for (int seed = 0; seed < 60; seed++) {
            step(seed % 6, seed, ReplayedLayersTest::ofLoops);
        }
        assertThat(runs).isEqualTo(60);
    }
}
