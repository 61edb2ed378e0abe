package dev.graft.peft.methods.reft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.cache.KvCache;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LoReftTest extends MethodContract {
    private static final String ORIGINAL =
            "model.layers.0.reft_layer.refts.*.units.0.projection.parametrizations.weight.original";

    @Override
    protected List<Case> cases() {
        LoReft first = new LoReft(ReftConfig.DEFAULT.withR(3).withFirst(2).withDropout(0));
        LoReft both = new LoReft(ReftConfig.DEFAULT
                .withR(2)
                .withLast(2)
                .withFirst(2)
                .withTied(true)
                .withDropout(0));
        LoReft last = new LoReft(ReftConfig.DEFAULT
                .withR(1)
                .withLast(3)
                .withFirst(0)
                .withLayers(List.of(1))
                .withDropout(0));
        return List.of(
                new Case(Bases.BERT, first, 2 * 2 * (2 * 3 * 32 + 3), false),
                new Case(Bases.LLAMA, first, 2 * 2 * (2 * 3 * 32 + 3), false),
                new Case(Bases.TIED, both, 2 * (2 * 2 * 32 + 2), false),
                new Case(Bases.BERT, both, 2 * (2 * 2 * 32 + 2), false),
                new Case(Bases.LLAMA, last, 2 * (2 * 32 + 1), false));
    }

    /** Texts of 6, 2 and 4 tokens, padded on the left. */
    private static Inputs texts(long width) {
        long[] ids = new long[3 * 10];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = 3 + i * 13L % 50;
        }
        Tensor mask = Tensors.ones(ScalarType.Long, 3, 10);
        mask.select(0, 1).narrow(0, 0, 4).zero_();
        mask.select(0, 2).narrow(0, 0, 2).zero_();
        return Inputs.of(Tensors.of(ids, 3, 10).narrow(1, 0, width), mask.narrow(1, 0, width));
    }

    private static Adapter adapter(LoReft method) {
        return Adapter.create(Bases.load(Bases.LLAMA), method, 3);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 5, 8})
    void generatesWithACacheWhatItComputesWithout(int first) {
        Adapter adapter =
                adapter(new LoReft(ReftConfig.DEFAULT.withR(3).withFirst(first).withDropout(0)));
        Base base = adapter.base();
        Hooks hooks = Selection.of(adapter).hooks();
        try (NoGrad noGrad = new NoGrad();
                KvCache cache = new KvCache(10)) {
            Inputs all = texts(10);
            base.logits(texts(6), ForwardPass.cached(hooks, cache));
            for (int at = 6; at < 10; at++) {
                Inputs next = Inputs.of(all.ids().narrow(1, at, 1), all.mask().narrow(1, at, 1));
                Tensor cached =
                        base.logits(next, ForwardPass.cached(hooks, cache)).select(1, 0);
                Tensor whole =
                        base.logits(texts(at + 1), ForwardPass.inference(hooks)).select(1, at);

                assertThat(Tensors.item(cached.sub(whole).abs().amax()))
                        .as("position %d", at)
                        .isLessThan(1e-5);
            }
        }
    }

    @Test
    void editsTheEndOfThePromptAndNotWhatIsGenerated() {
        Adapter adapter = adapter(new LoReft(ReftConfig.DEFAULT
                .withR(3)
                .withLast(2)
                .withFirst(0)
                .withLayers(List.of(1))
                .withDropout(0)));
        Base base = adapter.base();
        Hooks hooks = Selection.of(adapter).hooks();
        try (NoGrad noGrad = new NoGrad();
                KvCache edited = new KvCache(10);
                KvCache plain = new KvCache(10)) {
            Tensor prompt =
                    base.logits(texts(6), ForwardPass.cached(hooks, edited)).select(1, 5);
            Tensor without =
                    base.logits(texts(6), ForwardPass.cached(Hooks.NONE, plain)).select(1, 5);
            Inputs all = texts(10);
            Inputs next = Inputs.of(all.ids().narrow(1, 6, 1), all.mask().narrow(1, 6, 1));

            assertThat(Tensors.item(prompt.sub(without).abs().amax())).isGreaterThan(0.01);
            // The last layer's edit is behind its keys and values, so a step that isn't edited is the base's.
            assertThat(base.logits(next, ForwardPass.cached(hooks, edited))
                            .equal(base.logits(next, ForwardPass.cached(Hooks.NONE, plain))))
                    .isTrue();
        }
    }

    @Test
    void itsProjectionHasOrthonormalRowsWhateverIsTrained(@TempDir Path folder) {
        Adapter adapter = adapter(
                new LoReft(ReftConfig.DEFAULT.withFirst(2).withTied(true).withDropout(0)));
        try (NoGrad noGrad = new NoGrad()) {
            Tensor original = adapter.trainable().get(ORIGINAL);
            original.mul_(new Scalar(0.999)).add_(new Scalar(0.3)).sub_(new Scalar(0.2));
        }
        // An edit with W = 0 and b = 0 takes the part in the span of R's rows away: twice is the same as once.
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable().forEach((key, value) -> {
                if (key.contains("learned_source")) {
                    value.zero_();
                }
            });
        }
        Base base = adapter.base();
        Selection once = Selection.of(adapter);
        Selection twice = Selection.all(once, once);
        Tensor one = base.logits(texts(6), ForwardPass.inference(once.hooks()));
        Tensor two = base.logits(texts(6), ForwardPass.inference(twice.hooks()));
        assertThat(Tensors.item(
                        one.sub(two).mul(texts(6).mask().unsqueeze(-1)).abs().amax()))
                .isLessThan(1e-5);
        assertThat(Tensors.item(one.sub(base.logits(texts(6), ForwardPass.inference(Hooks.NONE)))
                        .abs()
                        .amax()))
                .isGreaterThan(0.01);

        adapter.save(folder.resolve("adapter"));
        Tensor diagonal = Adapter.load(base, folder.resolve("adapter"))
                .trainable()
                .get(ORIGINAL)
                .diagonal();
        assertThat(Tensors.floats(diagonal)).containsOnly(-1f);
    }

    @Test
    void refusesAFileWhoseDiagonalWeightDecayHasMoved(@TempDir Path folder) throws Exception {
        Adapter adapter = adapter(new LoReft(
                ReftConfig.DEFAULT.withR(2).withFirst(2).withTied(true).withDropout(0)));
        adapter.save(folder.resolve("adapter"));
        Path file = folder.resolve("adapter/adapter.safetensors");
        dev.graft.formats.Safetensors source = dev.graft.formats.Safetensors.open(file);
        List<dev.graft.formats.TensorData> tensors = source.names().stream()
                .map(name -> {
                    dev.graft.formats.TensorData tensor = source.tensor(name);
                    if (!name.endsWith("original")) {
                        return tensor;
                    }
                    Tensor decayed = Ops.scale(
                            Tensors.of(
                                    tensor.bytes(),
                                    ScalarType.Float,
                                    tensor.info().shape()),
                            0.9995);
                    return new dev.graft.formats.TensorData(tensor.info(), Tensors.bytes(decayed));
                })
                .toList();
        Path moved = folder.resolve("moved.safetensors");
        dev.graft.formats.Safetensors.write(moved, tensors, java.util.Map.of());
        source.close();
        java.nio.file.Files.move(moved, file, java.nio.file.StandardCopyOption.REPLACE_EXISTING);

        assertThatThrownBy(() -> Adapter.load(adapter.base(), folder.resolve("adapter")))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("weight.original")
                .hasMessageContaining("weight decay");
    }

    @Test
    void refusesPositionsThatAreNone() {
        assertThatThrownBy(() -> new LoReft(ReftConfig.DEFAULT.withFirst(0)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("prefix_positions is 0 and suffix_positions is 0");
    }

    @Test
    void refusesAsManyDirectionsAsTheHiddenStateHas() {
        assertThatThrownBy(() -> adapter(
                        new LoReft(ReftConfig.DEFAULT.withR(32).withFirst(1).withDropout(0))))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("less than the hidden size 32");
    }

    @Test
    void dropsInTrainingAlone() {
        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), withDropout(0.5))).isGreaterThan(1e-2);
        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), withDropout(0))).isLessThan(1e-5);
    }

    private static LoReft withDropout(double p) {
        return new LoReft(
                ReftConfig.DEFAULT.withR(2).withFirst(3).withTied(true).withDropout(p));
    }
}
