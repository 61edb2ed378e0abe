package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Bias;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.Tensors;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RandLoraTest extends MethodContract {
    private static final RandLora FIVE = RandLora.DEFAULT.withR(5).withAlpha(20).withTargets(TargetModules.DEFAULT);

    private static RandLora of(RandLora.Sparsity sparsity, SharedProjection projection, boolean startAtZero) {
        return new RandLora(4, 8, 0, sparsity, projection, Bias.NONE, TargetModules.DEFAULT, startAtZero);
    }

    @Override
    protected List<Case> cases() {
        return List.of(
                // Seven bases of rank 5 fill 32.
                new Case(
                        Bases.BERT,
                        FIVE.withTargets(TargetModules.names("query", "intermediate.dense", "output.dense")),
                        2 * 4 * 7 * (5 + 32),
                        true),
                new Case(
                        Bases.LLAMA,
                        of(RandLora.Sparsity.SPARSE, new SharedProjection(1, false), true),
                        2 * (8 * (4 + 32) + 4 * (4 + 16)),
                        true),
                new Case(
                        Bases.LLAMA,
                        of(RandLora.Sparsity.DENSE, new SharedProjection(1, false), false),
                        2 * (8 * (4 + 32) + 4 * (4 + 16)),
                        false));
    }

    @Test
    void hasTernaryBasesWhereTheyAreSparse() {
        for (RandLora.Sparsity sparsity : List.of(RandLora.Sparsity.SPARSE, RandLora.Sparsity.VERY_SPARSE)) {
            Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), of(sparsity, SharedProjection.SAVED, true), 1);
            float[] b = Tensors.floats(adapter.parameters().get("randlora_B").value());

            assertThat(Arrays.stream(toDoubles(b)).distinct().count()).isEqualTo(3);
            double zeros = Arrays.stream(toDoubles(b)).filter(v -> v == 0).count() / (double) b.length;
            double expected = sparsity == RandLora.Sparsity.SPARSE ? 2.0 / 3 : 1 - 1 / Math.sqrt(32);
            assertThat(zeros).isBetween(expected - 0.06, expected + 0.06);
        }
    }

    private static double[] toDoubles(float[] values) {
        double[] doubles = new double[values.length];
        Arrays.setAll(doubles, i -> values[i]);
        return doubles;
    }

    @Test
    void readsFilesWithAndWithoutACopyOfTheBasesForEachLayerAndRefusesAnotherOne(@TempDir Path folder)
            throws Exception {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), FIVE, 1);
        adapter.save(folder);
        Path file = folder.resolve("adapter_model.safetensors");
        String copy = "base_model.model.model.layers.0.self_attn.q_proj.randlora_B";
        List<TensorData> all = new ArrayList<>();
        try (Safetensors tensors = Safetensors.open(file)) {
            for (String name : tensors.names()) {
                TensorData tensor = tensors.tensor(name);
                ByteBuffer bytes = ByteBuffer.allocate(tensor.bytes().remaining());
                bytes.put(tensor.bytes().duplicate()).flip();
                all.add(new TensorData(tensor.info(), bytes));
            }
        }
        assertThat(all).anyMatch(tensor -> tensor.info().name().equals(copy));

        Safetensors.write(
                file, all.stream().filter(t -> !t.info().name().equals(copy)).toList(), Map.of());
        assertThat(Adapter.load(adapter.base(), folder).trainableCount()).isEqualTo(adapter.trainableCount());

        all.replaceAll(tensor -> {
            if (!tensor.info().name().equals(copy)) {
                return tensor;
            }
            ByteBuffer other = ByteBuffer.allocate(tensor.bytes().remaining()).order(ByteOrder.LITTLE_ENDIAN);
            other.put(tensor.bytes().duplicate()).flip();
            other.putFloat(0, 7);
            return new TensorData(tensor.info(), other);
        });
        Safetensors.write(file, all, Map.of());
        assertThatThrownBy(() -> Adapter.load(adapter.base(), folder))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining(copy)
                .hasMessageContaining("differs from the trained one");
    }

    @Test
    void dropsInputsInTraining() {
        RandLora dropping = new RandLora(
                5, 20, 0.5, RandLora.Sparsity.DENSE, SharedProjection.SAVED, Bias.NONE, TargetModules.DEFAULT, true);

        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), dropping)).isGreaterThan(1e-4);
    }

    @Test
    void refusesARankOfZero() {
        assertThatThrownBy(() -> FIVE.withR(0))
                .isInstanceOf(InputException.class)
                .hasMessage("r is 0, expected at least 1");
    }
}
