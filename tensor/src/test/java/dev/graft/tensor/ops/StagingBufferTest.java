package dev.graft.tensor.ops;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

class StagingBufferTest {
    private final Rng rng = Rng.of(3, "staging");

    /** From every type to every other, larger ones after smaller ones and the other way round. */
    @Test
    void aTensorIsWhatLibtorchMakesOfTheStoredValues() {
        List<ScalarType> types = List.of(ScalarType.Float, ScalarType.BFloat16, ScalarType.Half, ScalarType.Double);
        try (Scope scope = new Scope();
                StagingBuffer staging = new StagingBuffer()) {
            for (long n : new long[] {5, 0, 1, 40_000, 33}) {
                for (ScalarType stored : types) {
                    for (ScalarType type : types) {
                        Tensor values = Ops.to(rng.normal(0, 1, n, 3), stored);
                        Tensor made = staging.tensor(stored, type, buffer -> buffer.put(Tensors.bytes(values)), n, 3);
                        assertThat(made.scalar_type().value).isEqualTo(type.value);
                        assertThat(made.equal(Ops.to(values, type)))
                                .as(n + " of " + stored + " to " + type)
                                .isTrue();
                    }
                }
            }
        }
    }

    @Test
    void whatWasMadeStaysWhenTheNextIsRead() {
        try (Scope scope = new Scope();
                StagingBuffer staging = new StagingBuffer()) {
            Tensor ones = Tensors.ones(ScalarType.Float, 8);
            Tensor first =
                    staging.tensor(ScalarType.Float, ScalarType.BFloat16, buffer -> buffer.put(Tensors.bytes(ones)), 8);
            staging.tensor(ScalarType.Float, ScalarType.BFloat16, buffer -> buffer.put(new byte[32]), 8);
            assertThat(Tensors.floats(first)).containsOnly(1);
        }
    }
}
