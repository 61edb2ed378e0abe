package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LilyTest extends MethodContract {
    private static Lily of(int r, int stride, int experts, boolean startAtZero) {
        return new Lily(r, stride, experts, 2, TargetModules.DEFAULT, startAtZero);
    }

    @Override
    protected List<Case> cases() {
        int perKind = 4 * 32 + 2 * 4 * 32 + 2 * 2 * 4;
        return List.of(
                new Case(
                        Bases.BERT,
                        of(4, 2, 2, true).withTargets(TargetModules.ALL_LINEAR),
                        4 * perKind
                                + (4 * 32 + 2 * 4 * 64 + 16)
                                + (4 * 64 + 2 * 4 * 32 + 16)
                                + (4 * 32 + 2 * 4 * 32 + 8),
                        true),
                new Case(Bases.LLAMA, of(3, 1, 2, true), 4 * 3 * 32 + 2 * 3 * (32 + 16) + 4 * 2 * 3, true),
                new Case(Bases.LLAMA, of(3, 2, 3, false), 2 * 3 * 32 + 3 * 3 * (32 + 16) + 4 * 3 * 3, false));
    }

    @Test
    void layersOfAKindShareWhatTheyShouldAndFilesHaveItForEach(@TempDir Path folder) {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), of(3, 2, 2, true), 1);
        adapter.save(folder.resolve("lily"));

        assertThat(adapter.parameters())
                .containsKey("model.layers.0.self_attn.q_proj.lily_A.weight")
                .containsKey("model.layers.1.self_attn.q_proj.lily_router.weight")
                .doesNotContainKey("model.layers.1.self_attn.q_proj.lily_A.weight")
                .doesNotContainKey("model.layers.1.self_attn.q_proj.lily_B.weight");
        try (var file = dev.graft.formats.Safetensors.open(folder.resolve("lily/adapter_model.safetensors"))) {
            assertThat(file.names()).contains("base_model.model.model.layers.1.self_attn.q_proj.lily_A.weight");
        }
    }

    @Test
    void oneExpressionForAllSharesByShape() {
        Adapter adapter = Adapter.create(
                Bases.load(Bases.LLAMA), of(3, 1, 2, true).withTargets(TargetModules.regex(".*[kv]_proj")), 1);

        assertThat(adapter.trainableCount()).isEqualTo(4 * 3 * 32 + 2 * 3 * 16 + 4 * 2 * 3);
    }

    @Test
    void anAdapterOfPeftsTakesTheMeanOverTheBatchAndOursDoesNot(@TempDir Path folder) throws Exception {
        Base base = Bases.load(Bases.LLAMA);
        Adapter ours = Adapter.create(base, of(3, 1, 2, false), 1);
        ours.save(folder.resolve("lily"));
        Files.delete(folder.resolve("lily/graft.safetensors"));
        Adapter pefts = Adapter.load(base, folder.resolve("lily"));
        Linear site = (Linear) ours.sites().get(0);
        Tensor x = Rng.of(1, "x").normal(0, 1, 2, 3, site.in());

        Hooks token = Selection.of(ours).hooks();
        Hooks mean = Selection.of(pefts).hooks();
        assertThat(difference(site, token, x)).isLessThan(1e-6);
        assertThat(difference(site, mean, x)).isGreaterThan(1e-3);
        Tensor single = x.narrow(0, 0, 1).narrow(1, 0, 1);
        assertThat(Tensors.item(site(site, token, single)
                        .sub(site(site, mean, single))
                        .abs()
                        .amax()))
                .isLessThan(1e-6);
        assertThatThrownBy(() -> mean.linear(site, x, ForwardPass.training(mean)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("PEFT's");
    }

    private static Tensor site(Linear site, Hooks hooks, Tensor x) {
        return hooks.linear(site, x, ForwardPass.inference(hooks));
    }

    /** By how much a row differs from what it gives alone. */
    private static double difference(Linear site, Hooks hooks, Tensor x) {
        Tensor alone = site(site, hooks, x.narrow(0, 0, 1));
        return Tensors.item(
                site(site, hooks, x).narrow(0, 0, 1).sub(alone).abs().amax());
    }

    @Test
    void refusesWhatHasNoRouter() {
        assertThatThrownBy(() -> Lily.DEFAULT.withExperts(1)).hasMessageContaining("num_B is 1");
        assertThatThrownBy(() -> Lily.DEFAULT.withR(0)).hasMessageContaining("r is 0");
        assertThatThrownBy(() -> Lily.DEFAULT.withStride(0)).hasMessageContaining("stride_A 0");
    }
}
