package dev.graft.tensor.ops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.tensor.Natives;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Loops that are run again give what the function gives that ran them. */
class KernelRecordingTest {
    private static final int ROWS = 8;
    private static final int WIDTH = 96;

    private final int threads = Natives.threads();
    private final Scope scope = new Scope();
    private final Tensor weight = values(0, 1, 1, WIDTH).view(WIDTH);

    @BeforeEach
    void needLoops() {
        assumeTrue(KernelRecording.isAvailable());
    }

    @AfterEach
    void free() {
        scope.close();
        Natives.threads(threads);
    }

    private static Tensor values(long seed, long... shape) {
        return Rng.of(seed, "recording").normal(0, 1, shape);
    }

    /** A gated block of a residual stream {@code [rows, 1, 96]}, as a decoder's layers are made of. */
    private Tensor block(Tensor h, Tensor cos, Tensor sin) {
        try (Scope inner = new Scope()) {
            Tensor x = FusedNorm.rmsNorm(h, weight, 1e-6, ScalarType.BFloat16);
            Tensor turned = FusedAttention.rotate(x.view(ROWS, 1, 3, WIDTH / 3).transpose(1, 2), cos, sin, false);
            Tensor flat = turned.transpose(1, 2).reshape(ROWS, 1, WIDTH);
            Tensor gated = FusedOps.gate(FusedOps.GateFunction.SILU, flat, x);
            return inner.keep(FusedOps.add(h, gated));
        }
    }

    private static List<Tensor> given(long seed) {
        Tensor angles = values(seed + 100, ROWS, 1, 1, WIDTH / 3);
        return List.of(
                values(seed, ROWS, 1, WIDTH),
                Ops.to(angles.cos(), ScalarType.BFloat16),
                Ops.to(angles.sin(), ScalarType.BFloat16));
    }

    private Tensor twice(List<Tensor> given) {
        Tensor once = block(given.get(0), given.get(1), given.get(2));
        return block(once, given.get(1), given.get(2));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void loopsGiveWhatTheirFunctionGives(int count) {
        Natives.threads(count);
        List<Tensor> first = given(1);
        try (KernelRecording recording = KernelRecording.of(first, () -> twice(first))) {
            assertThat(recording.output().equal(twice(given(1)))).isTrue();
            for (long seed : new long[] {2, 3, 1}) {
                Tensor other = values(9, 64, 1024);
                assertThat(recording.replay(given(seed)).equal(twice(given(seed))))
                        .as("seed %d beside %s", seed, other.numel())
                        .isTrue();
            }
        }
    }

    @Test
    void anAnswerStaysWhenLoopsRunAgain() {
        List<Tensor> first = given(1);
        try (KernelRecording recording = KernelRecording.of(first, () -> twice(first))) {
            Tensor second = recording.replay(given(2));
            Tensor before = second.clone();
            recording.replay(given(3));
            assertThat(second.equal(before)).isTrue();
        }
    }

    @Test
    void whatLibtorchDoesIsNotDoneAgain() {
        List<Tensor> first = given(1);
        Tensor x = first.get(0);
        try (KernelRecording recording =
                KernelRecording.of(List.of(x), () -> FusedOps.add(x.mul(new Scalar(2.0)), x))) {
            Tensor other = values(2, ROWS, 1, WIDTH);
            assertThat(recording.replay(List.of(other)).equal(FusedOps.add(other.mul(new Scalar(2.0)), other)))
                    .isFalse();
        }
    }

    @Test
    void aFunctionThatFailsLeavesNothingOpen() {
        List<Tensor> first = given(1);
        assertThatThrownBy(() -> KernelRecording.of(first, () -> {
                    twice(first);
                    throw new IllegalStateException("broken");
                }))
                .hasMessage("broken");
        try (KernelRecording recording = KernelRecording.of(first, () -> twice(first))) {
            assertThat(recording.replay(given(2)).equal(twice(given(2)))).isTrue();
        }
    }

    @Test
    void recordingsAreNotNestedAndEnd() {
        List<Tensor> first = given(1);
        assertThatThrownBy(() -> KernelRecording.of(
                        first,
                        () -> KernelRecording.of(first, () -> twice(first)).output()))
                .hasMessageContaining("already recording");
        KernelRecording recording = KernelRecording.of(first, () -> twice(first));
        assertThatThrownBy(() -> recording.replay(List.of())).hasMessageContaining("expected 3");
        recording.close();
        recording.close();
        assertThatThrownBy(() -> recording.replay(given(2))).hasMessageContaining("none more");
    }
}
