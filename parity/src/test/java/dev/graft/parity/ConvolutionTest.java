package dev.graft.parity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Merge;
import dev.graft.peft.Method;
import dev.graft.peft.PatternValue;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.peft.convert.LoraConversion;
import dev.graft.peft.inits.LoraInits;
import dev.graft.peft.methods.lora.AdaLora;
import dev.graft.peft.methods.lora.Dora;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.orthogonal.Oft;
import dev.graft.peft.methods.scaling.Ia3;
import dev.graft.peft.methods.update.Hira;
import dev.graft.peft.methods.update.Loha;
import dev.graft.peft.methods.update.Lokr;
import dev.graft.peft.methods.update.LycorisConfig;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;

/** Convolutions that no reference covers: dilated ones, mixed batches, refusals. */
class ConvolutionTest {
    private static final TargetModules CONVOLUTION = TargetModules.names("conv");

    private static Base base(long dilation, int groups) {
        Map<String, ModuleTree.Kind> modules = Map.of("conv", ModuleTree.Kind.CONVOLUTION_2D);
        Convolution.Geometry window =
                new Convolution.Geometry(List.of(2L, 1L), List.of(1L, 3L), List.of(dilation, dilation), groups);
        Base blank =
                ModuleTree.of("a convolution", "conv", ModuleTree.Kind.CONVOLUTION_2D, window, ZeroTensors.of(modules));
        return blank.withParameters(Map.of("conv.weight", Rng.of(1, "kernels").normal(0, 1, 4, 4, 4, 4)));
    }

    private static LoraConfig config(int rank) {
        return LoraConfig.DEFAULT.withR(rank).withAlpha(3).withTargets(CONVOLUTION);
    }

    private static Adapter trained(Base base, Method method, long seed) {
        Adapter adapter = Adapter.create(base, method, seed);
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable()
                    .forEach((key, value) ->
                            value.add_(Rng.of(seed, "moved " + key).normal(0, 0.5, Tensors.shape(value))));
        }
        return adapter;
    }

    private static Tensor images(Base base, int count) {
        Convolution site = site(base);
        return Rng.of(3, "images").normal(0, 1, count, site.in(), 12, 11);
    }

    private static Convolution site(Base base) {
        return (Convolution) base.sites().get(0);
    }

    private static Tensor forward(Base base, Tensor images, Hooks hooks) {
        try (NoGrad noGrad = new NoGrad()) {
            return hooks.convolution(site(base), images, ForwardPass.inference(hooks));
        }
    }

    private static boolean close(Tensor a, Tensor b) {
        return torch.allclose(a, b, 1e-4, 1e-4, false);
    }

    @Test
    void dilatedUpdatesMoveAsTheirLayerDoes() {
        Base base = base(2, 1);
        for (Method method : List.of(new Lora(config(3)), new Dora(config(3)))) {
            Adapter adapter = trained(base, method, 5);
            Tensor images = images(base, 2);
            Tensor adapted = forward(base, images, Selection.of(adapter).hooks());

            assertThat(close(adapted, forward(base, images, Hooks.NONE))).isFalse();
            assertThat(close(adapted, forward(Merge.merge(adapter), images, Hooks.NONE)))
                    .isTrue();
        }
    }

    @Test
    void rowsOfAMixedBatchEqualTheirSoloRuns() {
        Base base = base(1, 2);
        Adapter lora = trained(base, new Lora(config(4)), 1);
        Adapter dora = trained(base, new Dora(config(2)), 2);
        Adapter scales = trained(
                base,
                Ia3.DEFAULT.withTargets(CONVOLUTION).withFeedForward(new Ia3.FeedForward(List.of("conv"), null)),
                3);
        List<Selection> rows = List.of(
                Selection.of(dora), Selection.of(lora), Selection.BASE, Selection.of(scales), Selection.of(lora));
        Tensor images = images(base, rows.size());

        Tensor mixed = forward(base, images, Selection.rows(rows).hooks());

        for (int i = 0; i < rows.size(); i++) {
            Tensor solo = forward(base, images.narrow(0, i, 1), rows.get(i).hooks());
            assertThat(close(mixed.narrow(0, i, 1), solo)).as("row " + i).isTrue();
        }
    }

    @Test
    void scaledInputsOfGroupsMerge() {
        Base base = base(1, 2);
        Adapter scales = trained(
                base,
                Ia3.DEFAULT.withTargets(CONVOLUTION).withFeedForward(new Ia3.FeedForward(List.of("conv"), null)),
                3);
        Tensor images = images(base, 2);

        assertThat(close(
                        forward(base, images, Selection.of(scales).hooks()),
                        forward(Merge.merge(scales), images, Hooks.NONE)))
                .isTrue();
    }

    @Test
    void updatesOfWholeKernelsMoveAsTheirLayerDoes() {
        LycorisConfig settings = LycorisConfig.DEFAULT.withR(2).withAlpha(3).withTargets(CONVOLUTION);
        LycorisConfig cores = new LycorisConfig(settings.r(), settings.alpha(), 0, 0, true, CONVOLUTION);
        List<Method> methods = List.of(
                new Loha(settings, true),
                new Loha(cores, true),
                new Lokr(settings.withR(1).withAlpha(1), true, -1, false, Lokr.Init.ZERO_SECOND),
                new Lokr(
                        new LycorisConfig(PatternValue.of(1), PatternValue.of(2.0), 0, 0, true, CONVOLUTION),
                        false,
                        -1,
                        false,
                        Lokr.Init.ZERO_FIRST),
                Hira.DEFAULT.withR(2).withTargets(CONVOLUTION),
                AdaLora.DEFAULT.with(b -> b.initRank(3).targetRank(2)).withLora(config(3)));
        for (Method method : methods) {
            Base base = base(2, method instanceof Loha || method instanceof Lokr ? 2 : 1);
            Tensor images = images(base, 2);
            Tensor frozen = forward(base, images, Hooks.NONE);
            Hooks start = Selection.of(Adapter.create(base, method, 5)).hooks();
            assertThat(close(forward(base, images, start), frozen)).isTrue();
            Adapter adapter = trained(base, method, 5);
            Tensor output = forward(base, images, Selection.of(adapter).hooks());

            assertThat(close(output, frozen)).isFalse();
            assertThat(close(forward(Merge.merge(adapter), images, Hooks.NONE), output))
                    .as("%s merged", method)
                    .isTrue();
            if (site(base).geometry().groups() == 1) {
                Adapter lora = LoraConversion.of(adapter, null).adapter();
                assertThat(close(forward(base, images, Selection.of(lora).hooks()), output))
                        .as("%s as a LoRA", method)
                        .isTrue();
            }
        }
    }

    @Test
    void lycorisDropsChannelsOfConvolutions() {
        Base base = base(1, 1);
        LycorisConfig settings = LycorisConfig.DEFAULT
                .withR(2)
                .withAlpha(3)
                .withTargets(CONVOLUTION)
                .withRankDropout(0.5);
        Hooks hooks = Selection.of(trained(base, new Loha(settings, true), 5)).hooks();
        Tensor images = images(base, 2);
        Tensor dropped;
        Dropout.seed(3, 1, 0);
        try (NoGrad noGrad = new NoGrad()) {
            dropped = hooks.convolution(site(base), images, ForwardPass.training(hooks))
                    .sub(forward(base, images, Hooks.NONE));
        }
        Tensor channels = dropped.abs().transpose(0, 1).flatten(1, -1).amax(new long[] {1}, false);

        assertThat(Tensors.doubles(channels)).contains(0.0).isNotEqualTo(new double[4]);
    }

    @Test
    void hadamardUpdatesRefuseGroups() {
        Hira hira = Hira.DEFAULT.withR(2).withTargets(CONVOLUTION);

        assertThatThrownBy(() -> Adapter.create(base(1, 2), hira, 1))
                .isInstanceOf(InputException.class)
                .hasMessage("target_modules: conv is a convolution in groups; HiRA acts on linear layers and on"
                        + " convolutions that aren't in groups");
    }

    @Test
    void rotationsOfPatchesAreLoadedButNotMade() {
        Oft oft = Oft.DEFAULT.withBlock(4).withTargets(CONVOLUTION);

        assertThatThrownBy(() -> Adapter.create(base(1, 2), oft, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("such adapters are loaded but not made");
        // As many weights for an output as there are channels, but no single point
        assertThatThrownBy(() -> Adapter.create(base(1, 16), oft, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("such adapters are loaded but not made");
        assertThatThrownBy(() -> Adapter.create(base(2, 1), oft, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("a kernel of [4, 4], dilated");
    }

    @Test
    void updatesThatMixGroupsAreNotMerged() {
        Base base = base(1, 2);

        assertThatThrownBy(() -> Merge.merge(trained(base, new Lora(config(4)), 1)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("conv");
        assertThatThrownBy(() -> Merge.merge(trained(base, new Dora(config(4)), 1)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("in groups");
    }

    @Test
    void ranksMustFitGroups() {
        assertThatThrownBy(() -> Adapter.create(base(1, 2), new Lora(config(3)), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("multiple of 2");
    }

    @Test
    void initialisationsFromMatricesAreRefused() {
        assertThatThrownBy(() -> Adapter.create(base(1, 1), new Lora(config(3).withInit(LoraInits.of("pissa"))), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("pissa")
                .hasMessageContaining("convolution");
    }
}
