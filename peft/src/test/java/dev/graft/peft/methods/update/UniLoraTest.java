package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorSource;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Bias;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UniLoraTest extends MethodContract {
    private static UniLora of(int r, int length, boolean saves, double dropout, boolean startsSmall) {
        return new UniLora(r, length, 7, saves, dropout, 0.5, Bias.NONE, TargetModules.DEFAULT, startsSmall);
    }

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, of(4, 2000, false, 0, true).withTargets(TargetModules.ALL_LINEAR), 2000, false),
                new Case(Bases.LLAMA, of(4, 64, false, 0, false), 64, false),
                new Case(Bases.LLAMA, of(2, 100, true, 0, false), 100, false));
    }

    @Test
    void usesEachNumberAsOftenAsAnyOtherAndKeepsLengths() {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), of(4, 50, false, 0, false), 1);
        long[] counts = new long[50];
        double[] squares = new double[50];
        for (var parameter : adapter.parameters().values()) {
            String key = parameter.key();
            if (key.contains("indices")) {
                double[] scales = Tensors.doubles(adapter.value(key.replace("indices", "scales")));
                double[] indices = Tensors.doubles(parameter.value());
                for (int i = 0; i < indices.length; i++) {
                    counts[(int) indices[i]]++;
                    squares[(int) indices[i]] += scales[i] * scales[i];
                }
            }
        }
        int all = 2 * 4 * (64 + 48);
        assertThat(Arrays.stream(counts).sum()).isEqualTo(all);
        assertThat(counts).containsOnly(all / 50, all / 50 + 1);
        assertThat(Arrays.stream(squares)).allSatisfy(sum -> assertThat(sum).isCloseTo(1, within(1e-5)));
    }

    @Test
    void placesDependOnTheirSeedAlone(@TempDir Path folder) throws Exception {
        Adapter one = Adapter.create(Bases.load(Bases.LLAMA), of(2, 64, false, 0, true), 1);
        Adapter two = Adapter.create(Bases.load(Bases.LLAMA), of(2, 64, true, 0, true), 2);
        String key = "model.layers.1.self_attn.v_proj.unilora_indices_B";
        two.save(folder.resolve("two"));

        assertThat(Tensors.bytes(one.value(key))).isEqualTo(Tensors.bytes(two.value(key)));
        try (TensorSource file = Safetensors.open(folder.resolve("two/adapter_model.safetensors"))) {
            assertThat(file.info("base_model.model." + key).dtype().name()).isEqualTo("I64");
        }
    }

    @Test
    void dropsInputsInTraining() {
        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), of(4, 64, false, 0.5, false)))
                .isGreaterThan(1e-4);
    }

    @Test
    void refusesWhatHasNoMeaning() {
        assertThatThrownBy(() -> UniLora.DEFAULT.withR(0)).hasMessageContaining("r is 0");
        assertThatThrownBy(() -> UniLora.DEFAULT.withLength(0)).hasMessageContaining("theta_d_length 0");
        assertThatThrownBy(() -> new UniLora(1, 8, -1, false, 0, 0.02, Bias.NONE, TargetModules.DEFAULT, true))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("proj_seed is -1");
        assertThatThrownBy(() -> new UniLora(1, 8, 1, false, 0, 0, Bias.NONE, TargetModules.DEFAULT, true))
                .hasMessageContaining("init_theta_d_bound is 0");
    }
}
