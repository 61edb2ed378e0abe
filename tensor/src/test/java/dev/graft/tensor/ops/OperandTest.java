package dev.graft.tensor.ops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.TensorException;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Sizes that a loop would read or write beyond a tensor's memory are refused. */
class OperandTest {
    private final Rng rng = Rng.of(1, "operands");
    private Scope scope;

    @BeforeEach
    void open() {
        assumeThat(KernelRecording.isAvailable()).isTrue();
        scope = new Scope();
    }

    @AfterEach
    void close() {
        scope.close();
    }

    private Tensor normal(long... shape) {
        return rng.normal(0, 1, shape);
    }

    private static void refused(String words, Runnable loop) {
        assertThatThrownBy(loop::run).isInstanceOf(TensorException.class).hasMessageContaining(words);
    }

    @Test
    void anglesThatDontFitTheHeads() {
        Tensor x = normal(2, 3, 5, 6);
        for (long[] shape : new long[][] {{1, 1, 5, 8}, {1, 1, 4, 6}, {3, 1, 5, 6}, {1, 1, 5, 5}}) {
            Tensor cos = normal(shape);
            refused("cos is", () -> FusedAttention.rotate(x, cos, cos, false));
        }
        refused("sin is", () -> FusedAttention.rotate(x, normal(1, 1, 5, 6), normal(1, 1, 4, 6), false));
    }

    @Test
    void aMaskThatDoesntFitTheScores() {
        Tensor scores = normal(2, 3, 4, 5);
        refused("mask is", () -> FusedAttention.softmax(scores, normal(1, 1, 1, 6), 4));
        refused("mask is", () -> FusedAttention.softmax(scores, normal(3, 1, 1, 5), 4));
        refused("mask is", () -> FusedAttention.softmax(scores, normal(1, 1, 3, 5), 4));
        refused("queries", () -> FusedAttention.softmax(scores, null, 3));
        refused("queries", () -> FusedAttention.softmax(scores, null, 0));
        refused("gradient is", () -> FusedAttention.softmaxBackward(normal(2, 3, 4, 4), scores));
    }

    @Test
    void aPositionBehindTheRoomOfTheCache() {
        Tensor q = normal(2, 4, 1, 8);
        Tensor key = normal(2, 2, 1, 8);
        Tensor keys = normal(2, 2, 6, 8);
        for (long place : new long[] {6, -1, Long.MAX_VALUE}) {
            Tensor places = Tensors.of(new long[] {0, place}, 2);
            refused("room for 6", () -> FusedAttention.attendNext(q, key, key, keys, keys.clone(), places, 1));
        }
        Tensor places = Tensors.of(new long[] {0, 5}, 2);
        refused("values is", () -> FusedAttention.attendNext(q, key, key, keys, normal(2, 2, 5, 8), places, 1));
        refused("key is", () -> FusedAttention.attendNext(q, normal(1, 2, 1, 8), key, keys, keys.clone(), places, 1));
        refused("q is", () -> FusedAttention.attendNext(normal(2, 5, 1, 8), key, key, keys, keys.clone(), places, 1));
        Tensor one = Tensors.of(new long[] {0}, 1);
        refused("places is", () -> FusedAttention.attendNext(q, key, key, keys, keys.clone(), one, 1));
    }

    @Test
    void aReplayWithAPlaceBehindTheRoomGivesNoNumbers() {
        Tensor q = normal(1, 1, 1, 8);
        Tensor keys = normal(1, 1, 6, 8);
        Tensor values = normal(1, 1, 6, 8);
        Tensor places = Tensors.of(new long[] {2}, 1);
        try (KernelRecording recording = KernelRecording.of(
                List.of(places), () -> FusedAttention.attendNext(q, q, q, keys, values, places, 1))) {
            Tensor other = recording.replay(List.of(Tensors.of(new long[] {1L << 40}, 1)));
            assertThat(Tensors.floats(other)).containsOnly(Float.NaN);
            assertThat(FusedOps.isFinite(recording.replay(List.of(Tensors.of(new long[] {5}, 1)))))
                    .isTrue();
        }
    }

    @Test
    void gatesOfOtherShapes() {
        Tensor gate = normal(2, 3, 8);
        FusedOps.GateFunction silu = FusedOps.GateFunction.SILU;
        refused("up is", () -> FusedOps.gate(silu, gate, normal(2, 3, 4)));
        refused("up is", () -> FusedOps.gateBackward(silu, gate, normal(2, 3, 4), gate.clone()));
        refused("dx is", () -> FusedOps.gateBackward(silu, gate, null, normal(2, 3, 4)));
    }

    @Test
    void labelsAndWeightsOfFewerRows() {
        Tensor logits = normal(4, 5);
        Tensor labels = Tensors.of(new long[] {0, 1, 2, 3}, 4);
        Tensor weights = Tensors.ones(ScalarType.Float, 4);
        refused("labels is", () -> FusedOps.crossEntropy(logits, labels.narrow(0, 0, 3), weights, 0, 1));
        refused("weights is", () -> FusedOps.crossEntropy(logits, labels, weights.narrow(0, 0, 3), 0, 1));
        refused("label 5", () -> FusedOps.crossEntropy(logits, Ops.plus(labels, 2), weights, 0, 1));
    }

    @Test
    void copiesOfOtherShapes() {
        refused("y is", () -> FusedOps.copy(normal(2, 3, 4, 5), normal(2, 3, 4, 4), 1));
        refused(
                "y is",
                () -> FusedOps.copy(normal(2, 3, 4, 5), normal(2, 3, 4, 5).narrow(0, 0, 1), 1));
    }

    @Test
    void weightsOfNormsThatDontFitTheRows() {
        Tensor h = normal(3, 12);
        Tensor weight = normal(5);
        refused("weight", () -> FusedNorm.rmsNorm(h, weight, 1e-6, ScalarType.Float));
        refused("gradient is", () -> FusedNorm.rmsNormBackward(h, normal(12), 1e-6, normal(2, 12), null));
        refused("sum is", () -> FusedNorm.rmsNormBackward(h, normal(12), 1e-6, normal(3, 12), normal(2, 12)));
        refused("weight", () -> FusedNorm.postNorm(h, h.clone(), normal(8), normal(8), 1e-6, null));
        refused("bias is", () -> FusedNorm.postNorm(h, h.clone(), normal(12), normal(8), 1e-6, null));
    }

    @Test
    void gradientsOfNormsThatDontFit() {
        Tensor wide = normal(2, 8192);
        refused("4096", () -> FusedNorm.postNormBackward(wide, normal(8192), 1e-6, null, wide, null, false, null));
        Tensor sum = normal(3, 8);
        Tensor weight = normal(8);
        refused(
                "gradient is",
                () -> FusedNorm.postNormBackward(sum, weight, 1e-6, null, normal(2, 8), null, false, null));
        refused(
                "residual is",
                () -> FusedNorm.postNormBackward(sum, weight, 1e-6, null, sum, normal(2, 8), false, null));
        refused("output is", () -> FusedNorm.postNormBackward(sum, weight, 1e-6, null, sum, null, false, normal(2, 8)));
        Tensor doubles = Ops.to(sum, ScalarType.Double);
        refused("output is", () -> FusedNorm.postNormBackward(sum, weight, 1e-6, null, sum, null, false, doubles));
    }

    @Test
    void codesWithTooFewScales() {
        Tensor codes = Ops.to(normal(4, 6), ScalarType.Char);
        refused("scales is", () -> FusedOps.decodeInt8(codes, normal(3), normal(4, 6)));
        refused("into is", () -> FusedOps.decodeInt8(codes, normal(4), normal(3, 6)));
    }

    @Test
    void sumsOfOtherShapesAreLibtorchs() {
        assertThat(Tensors.shape(FusedOps.add(normal(2, 3), normal(1, 3)))).containsExactly(2, 3);
        assertThatThrownBy(() -> FusedOps.add(normal(2, 3), normal(3, 2))).isInstanceOf(RuntimeException.class);
    }
}
