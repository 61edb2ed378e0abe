package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorInfo;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Bias;
import dev.graft.peft.MethodContract;
import dev.graft.peft.PatternValue;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.TorchRng;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FourierFtTest extends MethodContract {
    private static final FourierFt FIFTY = FourierFt.DEFAULT.withFrequencies(50).withTargets(TargetModules.DEFAULT);
    private static final String PLACES = "model.layers.0.self_attn.q_proj.fourierft_indices";

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, FIFTY, 4 * 50, true),
                new Case(Bases.LLAMA, FIFTY, 4 * 50, true),
                new Case(
                        Bases.TIED,
                        new FourierFt(
                                new PatternValue<>(8, Map.of("q_proj", 1024)),
                                20,
                                3,
                                TargetModules.DEFAULT,
                                Bias.NONE,
                                false),
                        2 * (1024 + 8),
                        false));
    }

    /** The places of a seed in a weight of 32 times 32, as rows and columns. */
    private static long[] places(long seed) {
        long[] flat = Tensors.longs(new TorchRng(seed).permutation(1024).narrow(0, 0, 50));
        long[] split = new long[100];
        for (int i = 0; i < 50; i++) {
            split[i] = flat[i] / 32;
            split[50 + i] = flat[i] % 32;
        }
        return split;
    }

    @Test
    void writesThePlacesBesideAndReadsThem(@TempDir Path folder) throws Exception {
        Base base = Bases.load(Bases.LLAMA);
        Path saved = folder.resolve("adapter");
        Adapter.create(base, FIFTY, 1).save(saved);

        assertThat(Tensors.longs(
                        Adapter.load(base, saved).parameters().get(PLACES).value()))
                .isEqualTo(places(777));
        rewrite(saved.resolve("graft.safetensors"), places(5), 2, 50);
        assertThat(Tensors.longs(
                        Adapter.load(base, saved).parameters().get(PLACES).value()))
                .isEqualTo(places(5));
        Files.delete(saved.resolve("graft.safetensors"));
        assertThat(Tensors.longs(
                        Adapter.load(base, saved).parameters().get(PLACES).value()))
                .isEqualTo(places(777));
    }

    @Test
    void refusesPlacesThatAreNotInTheWeight(@TempDir Path folder) throws Exception {
        Base base = Bases.load(Bases.LLAMA);
        Path saved = folder.resolve("adapter");
        Adapter.create(base, FIFTY, 1).save(saved);
        long[] outside = places(777);
        outside[99] = 32;
        rewrite(saved.resolve("graft.safetensors"), outside, 2, 50);

        assertThatThrownBy(() -> Adapter.load(base, saved))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(PLACES)
                .hasMessageContaining("outside the weight [32, 32]");
        rewrite(saved.resolve("graft.safetensors"), new long[] {1, 1}, 2, 1);
        assertThatThrownBy(() -> Adapter.load(base, saved))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("graft.safetensors")
                .hasMessageContaining("[2, 1]");
    }

    private static void rewrite(Path file, long[] places, long... shape) throws Exception {
        List<TensorData> tensors = new ArrayList<>();
        try (Safetensors old = Safetensors.open(file)) {
            for (String name : old.names()) {
                TensorData tensor = old.tensor(name);
                if (name.equals(PLACES)) {
                    ByteBuffer bytes = ByteBuffer.allocate(4 * places.length).order(ByteOrder.LITTLE_ENDIAN);
                    for (long place : places) {
                        bytes.putInt((int) place);
                    }
                    tensor = new TensorData(new TensorInfo(name, tensor.info().dtype(), shape), bytes.flip());
                }
                tensors.add(tensor);
            }
        }
        Files.delete(file);
        Safetensors.write(file, tensors, Map.of());
    }

    @Test
    void refusesMoreCoefficientsThanAWeightHas() {
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), FIFTY.withFrequencies(513), 1))
                .isInstanceOf(InputException.class)
                .hasMessage("n_frequency makes 513 values for model.layers.0.self_attn.v_proj, whose weight has 512;"
                        + " expected at least 1 and at most those");
    }
}
