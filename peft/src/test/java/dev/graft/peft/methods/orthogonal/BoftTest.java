package dev.graft.peft.methods.orthogonal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.models.Base;
import dev.graft.models.checkpoints.TensorConversion;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Bias;
import dev.graft.peft.CachedValue;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BoftTest extends MethodContract {
    private static final Boft FOUR = Boft.DEFAULT.withTargets(TargetModules.DEFAULT);

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, FOUR, 4 * (32 * 4 + 32), true),
                new Case(Bases.LLAMA, FOUR, 2 * (32 * 4 + 32 + 32 * 4 + 16), true),
                new Case(Bases.LLAMA, FOUR.withBlock(2).withFactors(3), 2 * (3 * 32 * 2 + 32 + 3 * 32 * 2 + 16), true),
                new Case(
                        Bases.TIED,
                        new Boft(0, 4, 2, 0, TargetModules.DEFAULT, Bias.NONE, false),
                        4 * (2 * 32 * 8 + 32),
                        false));
    }

    /** PEFT's own layer with the one function of its CUDA extension written anew; see {@code parity/python/boft_goldens.py}. */
    @ParameterizedTest
    @CsvSource({"16, 2, 2", "24, 4, 2", "32, 4, 3", "32, 2, 4"})
    void multipliesFactorsAsPeftDoesOnAGpu(int size, int block, int factors) {
        try (Safetensors file = Safetensors.open(Bases.FIXTURES.resolve("boft/layers.safetensors"))) {
            String prefix = size + "-" + block + "-" + factors + ".";
            Linear site =
                    new Linear("layer", Role.OUTPUT, -1, read(file, prefix + "weight"), read(file, prefix + "bias"));
            Tensor blocks = Boft.Butterfly.blocks(read(file, prefix + "boft_R"));
            Boft.Butterfly effect = new Boft.Butterfly(
                    new CachedValue(() -> blocks),
                    read(file, prefix + "boft_s"),
                    Boft.permutations(factors, size / block, block),
                    0,
                    null);
            Tensor y = effect.apply(site, read(file, prefix + "x"), ForwardPass.inference(Hooks.NONE));

            assertThat(Tensors.item(y.sub(read(file, prefix + "y")).abs().amax()))
                    .isLessThan(2e-6);
            Tensor merged = effect.weight(site.weight());
            assertThat(Tensors.item(
                            merged.sub(read(file, prefix + "merged")).abs().amax()))
                    .isLessThan(2e-6);
        }
    }

    private static Tensor read(Safetensors file, String name) {
        return Tensors.of(
                file.bytes(name),
                TensorConversion.type(file.info(name)),
                file.info(name).shape());
    }

    /** PEFT saves one factor where it lacks its extension, whatever the configuration says. */
    @Test
    void takesOneFactorFromAFileThatHasOne(@TempDir Path folder) {
        Base base = Bases.load(Bases.LLAMA);
        Adapter adapter = Adapter.load(base, Bases.FIXTURES.resolve("adapters/llama-gqa/boft-m2"));
        adapter.save(folder.resolve("adapter"));

        assertThat(adapter.trainableCount()).isEqualTo(608);
        assertThat(Json.read(folder.resolve("adapter/adapter_config.json"))
                        .path("boft_n_butterfly_factor")
                        .intValue())
                .isEqualTo(2);
    }

    @Test
    void dropsBlocksInTraining() {
        Base base = Bases.load(Bases.LLAMA);

        assertThat(effectOfDropout(base, FOUR)).isLessThan(1e-5);
        assertThat(effectOfDropout(base, new Boft(4, 0, 1, 0.5, TargetModules.DEFAULT, Bias.NONE, true)))
                .isGreaterThan(1e-3);
    }

    @Test
    void refusesBlocksThatDoNotFit() {
        Base base = Bases.load(Bases.LLAMA);

        assertThatThrownBy(() -> Adapter.create(base, FOUR.withBlock(5), 1))
                .isInstanceOf(InputException.class)
                .hasMessage("boft_block_size 5 with 1 factors doesn't fit the 32 inputs of"
                        + " model.layers.0.self_attn.q_proj: it must divide them");
        assertThatThrownBy(() -> Adapter.create(base, FOUR.withBlock(8).withFactors(4), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("a multiple of 8");
        assertThatThrownBy(() -> new Boft(4, 8, 1, 0, TargetModules.DEFAULT, Bias.NONE, true))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("boft_block_size is 4 and boft_block_num is 8");
    }
}
