package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.DType;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorInfo;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.peft.inits.LoraInits;
import dev.graft.peft.methods.lora.Dora;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Adapters that only act. */
class LoadServedTest {
    private static final Base BASE = Bases.load(Bases.LLAMA, Numerics.BF16);
    private static final LoraConfig RANDOM = LoraConfig.DEFAULT.withInit(LoraInits.of("false"));

    @TempDir
    private Path folder;

    private Adapter saved(Base base, Method method) {
        Adapter.create(base, method, 5).save(folder.resolve("adapter"));
        return Adapter.load(base, folder.resolve("adapter"));
    }

    private Adapter served(Base base) {
        return Adapter.loadServed(base, folder.resolve("adapter"));
    }

    private static Tensor logits(Base base, Adapter adapter, boolean inSlots) {
        Selection selection = Selection.of(adapter);
        try (NoGrad noGrad = new NoGrad();
                AdapterBatch adapterBatch = new AdapterBatch(5)) {
            for (int row = 0; row < 5; row++) {
                assertThat(adapterBatch.assignLowRank(row, selection)).isTrue();
            }
            ForwardPass pass = ForwardPass.inference(inSlots ? adapterBatch.hooks() : selection.hooks());
            return base.logits(Bases.batch(), pass).contiguous();
        }
    }

    /** s is 2, 1/4, 1 and 3/2. */
    @ParameterizedTest
    @CsvSource({"8, 16", "4, 1", "3, 3", "4, 6"})
    void loraTakesHalfTheMemoryAndGivesTheSameBits(int r, double alpha) {
        Adapter whole = saved(BASE, new Lora(RANDOM.withR(r).withAlpha(alpha)));
        Adapter half = served(BASE);
        assertThat(half.bytes()).isEqualTo(whole.bytes() / 2);
        for (boolean inSlots : new boolean[] {false, true}) {
            assertThat(logits(BASE, half, inSlots).equal(logits(BASE, whole, inSlots)))
                    .as("in slots: " + inSlots)
                    .isTrue();
        }
        assertThat(logits(BASE, half, true).equal(logits(BASE, saved(BASE, new Lora(LoraConfig.DEFAULT)), true)))
                .isFalse();
    }

    @Test
    void whatWouldLoseBitsIsHeldWhole() {
        assertIsWhole(BASE, new Dora(RANDOM));
        assertIsWhole(BASE, new Lora(RANDOM.withInit(LoraInits.of("pissa"))));
        assertIsWhole(Bases.load(Bases.LLAMA), new Lora(RANDOM));
    }

    private void assertIsWhole(Base base, Method method) {
        Adapter whole = saved(base, method);
        whole.freeze();
        assertThat(served(base).bytes()).isEqualTo(whole.bytes());
    }

    /** Tensors of two types, whichever was read ahead in the other's. */
    @Test
    void biasesStayWholeBesideHalvedMatrices() {
        Adapter whole = saved(BASE, new Lora(RANDOM.withLoraBias(true)));
        for (int round = 0; round < 20; round++) {
            try (Adapter half = served(BASE)) {
                assertThat(half.parameters()).allSatisfy((key, parameter) -> {
                    boolean bias = key.endsWith("bias");
                    Tensor wanted = whole.parameters().get(key).value().detach();
                    ScalarType type = bias ? ScalarType.Float : ScalarType.BFloat16;
                    assertThat(parameter.value().equal(wanted.to(type))).as(key).isTrue();
                    assertThat(parameter.value().requires_grad()).isFalse();
                });
            }
        }
    }

    /** A file in bf16 is held as it is. */
    @Test
    void aFileInBf16TakesItsBytes() {
        long whole = saved(BASE, new Lora(RANDOM)).bytes();
        Path file = folder.resolve("adapter/adapter_model.safetensors");
        List<TensorData> rounded = new ArrayList<>();
        try (Safetensors tensors = Safetensors.open(file)) {
            for (String name : tensors.names()) {
                TensorData tensor = tensors.tensor(name);
                Tensor value =
                        Tensors.of(tensor.floats(), tensor.info().shape()).to(ScalarType.BFloat16);
                rounded.add(new TensorData(
                        new TensorInfo(name, DType.BF16, tensor.info().shape()), Tensors.bytes(value)));
            }
        }
        Safetensors.write(file, rounded, Map.of());
        assertThat(served(BASE).bytes()).isEqualTo(whole / 2);
        assertThat(logits(BASE, served(BASE), true)
                        .equal(logits(BASE, Adapter.load(BASE, folder.resolve("adapter")), true)))
                .isTrue();
    }
}
