package dev.graft.models;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Safetensors;
import dev.graft.models.attention.AttentionMask;
import dev.graft.models.attention.AttentionWindow;
import dev.graft.models.cache.KvCache;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Experts;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Layer;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PromptTargets;
import dev.graft.models.sites.Role;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class BasesTest {
    /** Models of images, of sounds and of two sides have other inputs; they have tests of their own and the parity cases. */
    private static final Set<String> OTHERS = Set.of(
            "t5",
            "t5-gated",
            "t5-seqcls",
            "t5-qa",
            "mt5",
            "mt5-seqcls",
            "mt5-qa",
            "umt5",
            "umt5-seqcls",
            "umt5-qa",
            "bart",
            "bart-seqcls",
            "bart-qa",
            "whisper",
            "vit",
            "deit",
            "deit-distilled",
            "dinov2",
            "dinov2-gated",
            "clip",
            "siglip",
            "siglip-imgcls",
            "resnet",
            "resnet-basic",
            "swin",
            "dinov2-semseg");

    static Stream<String> bases() throws IOException {
        try (Stream<Path> folders = Files.list(Fixtures.BASES)) {
            return folders
                    .map(folder -> folder.getFileName().toString())
                    .filter(name -> !OTHERS.contains(name))
                    .sorted()
                    .toList()
                    .stream();
        }
    }

    @ParameterizedTest
    @MethodSource("bases")
    void hiddenStatesAndLogitsAreThoseOfTheReference(String name) {
        Base base = Base.load(Fixtures.folder(name));
        Fixtures reference = Fixtures.of(name);
        try (Scope scope = new Scope()) {
            ForwardPass pass = ForwardPass.inference(Hooks.NONE).withHiddenStates();
            HiddenStates hidden = base.forward(reference.inputs(), pass);

            assertThat(hidden.all()).hasSize(base.backbone().layers() + 1);
            assertThat(hidden.last().size(-1)).isEqualTo(base.backbone().outputSize());
            for (int i = 0; i < hidden.all().size(); i++) {
                reference.assertMatches("hidden_states." + i, hidden.all().get(i));
            }
            Tensor logits = base.logits(hidden, pass);
            if (base.task() == Task.QUESTION_ANS) {
                reference.assertMatches("start_logits", logits.select(2, 0));
                reference.assertMatches("end_logits", logits.select(2, 1));
            } else {
                reference.assertMatches(
                        base.task() == Task.FEATURE_EXTRACTION ? "last_hidden_state" : "logits", logits);
            }
            if (reference.has("logits_with_position_ids_from_mask")) {
                reference.assertMatches(
                        "logits_with_position_ids_from_mask",
                        base.logits(reference.inputs().withPositionsFromMask(), ForwardPass.inference(Hooks.NONE)));
            }
        }
    }

    @Test
    void sitesNameTheModulesOfTheReference() {
        Base llama = Base.load(Fixtures.folder("llama-gqa"));
        Linear key = llama.site(Linear.class, "model.layers.1.self_attn.k_proj");

        assertThat(key).isNotNull();
        assertThat(key.role()).isEqualTo(Role.KEY);
        assertThat(key.layer()).isEqualTo(1);
        assertThat(List.of(key.out(), key.in())).containsExactly(16L, 32L);
        assertThat(llama.site(Layer.class, "model.layers.1")).isNotNull();
        assertThat(llama.parameterCount()).isEqualTo(22_688);
        assertThat(llama.endTokens()).containsExactly(2);
        assertThat(Base.load(Fixtures.folder("bert-qa")).parameterCount()).isEqualTo(23_426);
    }

    @Test
    void expertsAreOneTensorInMemoryAndManyInFiles(@TempDir Path folder) {
        Base mixtral = Base.load(Fixtures.folder("mixtral"));
        String down = "model.layers.1.mlp.experts.down_proj";
        Experts experts = mixtral.site(Experts.class, down);

        assertThat(experts).isNotNull();
        assertThat(List.of(experts.count(), experts.out(), experts.in())).containsExactly(4L, 32L, 32L);
        assertThat(mixtral.parameters()).containsKeys(down, "model.layers.1.mlp.gate.weight");
        mixtral.save(folder.resolve("saved"));
        try (var before = Safetensors.open(Fixtures.folder("mixtral").resolve("model.safetensors"));
                var after = Safetensors.open(folder.resolve("saved/model.safetensors"))) {
            assertThat(after.names()).isEqualTo(before.names());
            String expert = "model.layers.0.block_sparse_moe.experts.2.w3.weight";
            assertThat(after.bytes(expert)).isEqualTo(before.bytes(expert));
        }
        assertThat(Base.load(folder.resolve("saved")).checksum()).isEqualTo(mixtral.checksum());
    }

    @Test
    void aWindowHidesWhatIsFarAwayWithACacheToo() {
        Base mistral = Base.load(Fixtures.folder("mistral"));
        long[][] ids = {{5, 9, 31, 7, 8, 40, 3, 22, 17, 60, 11, 6}};
        long[][] other = {{44, 9, 31, 7, 8, 40, 3, 22, 17, 60, 11, 6}};
        try (Scope scope = new Scope();
                KvCache cache = new KvCache(12)) {
            Tensor whole = mistral.forward(Inputs.of(ids), ForwardPass.inference(Hooks.NONE))
                    .last();
            Tensor changed = mistral.forward(Inputs.of(other), ForwardPass.inference(Hooks.NONE))
                    .last();
            // Two layers that see five positions each.
            assertThat(Fixtures.difference(whole.narrow(1, 9, 3), changed.narrow(1, 9, 3)))
                    .isZero();
            assertThat(Fixtures.difference(whole.narrow(1, 8, 1), changed.narrow(1, 8, 1)))
                    .isGreaterThan(1e-6);

            Tensor last = whole;
            for (int i = 0; i < 12; i++) {
                Inputs one = Inputs.of(new long[][] {{ids[0][i]}});
                last = mistral.forward(one, ForwardPass.cached(Hooks.NONE, cache))
                        .last();
            }
            assertThat(Fixtures.difference(last, whole.narrow(1, 11, 1))).isLessThan(1e-5);
        }
    }

    /** Llama 4 cuts texts into chunks of four, and tunes the temperature of scores where there are no positions. */
    @ParameterizedTest
    @ValueSource(strings = {"llama4", "llama4-tuned"})
    void chunksAndTemperaturesAreTheSameWithACache(String name) {
        Base base = Base.load(Fixtures.folder(name));
        long[][] ids = {{5, 9, 31, 7, 8, 40, 3, 22, 17, 60, 11, 6}};
        try (Scope scope = new Scope();
                KvCache cache = new KvCache(12)) {
            Tensor whole = base.forward(Inputs.of(ids), ForwardPass.inference(Hooks.NONE))
                    .last();
            int start = 0;
            for (int length : new int[] {3, 6, 1, 2}) {
                long[] part = Arrays.copyOfRange(ids[0], start, start + length);
                Tensor read = base.forward(Inputs.of(new long[][] {part}), ForwardPass.cached(Hooks.NONE, cache))
                        .last();
                assertThat(Fixtures.difference(read, whole.narrow(1, start, length)))
                        .isLessThan(1e-5);
                start += length;
            }
        }
    }

    @Test
    void chunksBeginWithEachTextAndCountNoPadding() {
        Tensor keys = Tensors.of(new long[][] {{0, 0, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1}, {1, 1, 0, 0, 1, 1, 1}});
        try (Scope scope = new Scope()) {
            ForwardPass padded = ForwardPass.inference(Hooks.NONE);
            padded.context().setInputs(keys);
            Attention site = new Attention("attention", 0, 1, 4);
            AttentionMask mask =
                    AttentionMask.of(site, true, ScalarType.Float, padded).within(AttentionWindow.chunk(3));
            assertThat(seen(mask, 0)).isEqualTo("..3 ..34 ..345 .....6 .....67".replace(" ", "\n"));
            assertThat(seen(mask, 1)).isEqualTo("1 12 123 ...4 ...45 ...456 ......7".replace(" ", "\n"));
            // As 1 12 125 .....6 .....67, but for the queries of its padding.
            assertThat(seen(mask, 2)).isEqualTo("1 12 12 12 12..5 .....6 .....67".replace(" ", "\n"));

            ForwardPass several = ForwardPass.inference(Hooks.NONE);
            Tensor texts = Tensors.of(new long[][] {{0, 0, 0, 0, 1, 1, 1}});
            several.context().setInputs(texts, keys.narrow(0, 1, 1), texts, 0, PromptTargets.none(0));
            assertThat(seen(
                            AttentionMask.of(site, true, ScalarType.Float, several)
                                    .within(AttentionWindow.chunk(3)),
                            0))
                    .isEqualTo("1 12 123 ...4 ....5 ....56 ....567".replace(" ", "\n"));
        }
    }

    /** The numbers of the keys that each query sees, a line for each that sees one. */
    private static String seen(AttentionMask mask, int row) {
        int width = (int) mask.queries();
        float[] added = Tensors.floats(mask.additive().select(0, row).contiguous());
        StringBuilder lines = new StringBuilder();
        for (int query = 0; query < width; query++) {
            StringBuilder line = new StringBuilder();
            for (int key = 0; key < width; key++) {
                line.append(added[query * width + key] == 0 ? Integer.toString(key + 1) : ".");
            }
            lines.append(line.toString().replaceAll("\\.+$", "")).append('\n');
        }
        return lines.toString().strip();
    }

    @Test
    void whatReadsPicturesIsSavedAgainWithTheTextPart(@TempDir Path folder) {
        Base base = Base.load(Fixtures.folder("llama4-pictures"));
        assertThat(base.unusedTensors()).isEmpty();
        assertThat(base.endTokens()).containsExactly(2);

        base.save(folder.resolve("saved"));

        try (var before = Safetensors.open(Fixtures.folder("llama4-pictures").resolve("model.safetensors"));
                var after = Safetensors.open(folder.resolve("saved/model.safetensors"))) {
            assertThat(after.names()).isEqualTo(before.names());
            assertThat(after.names())
                    .allSatisfy(name -> assertThat(after.bytes(name)).as(name).isEqualTo(before.bytes(name)));
        }
        assertThat(Base.load(folder.resolve("saved")).checksum()).isEqualTo(base.checksum());
    }

    @Test
    void savedBaseIsEqualToTheOneItWasSavedFrom(@TempDir Path folder) {
        Base base = Base.load(Fixtures.folder("bert-seqcls"));
        base.save(folder.resolve("saved"));

        Base saved = Base.load(folder.resolve("saved"));
        assertThat(saved.checksum()).isEqualTo(base.checksum());
        assertThat(saved.labels()).isEqualTo(base.labels());
        assertThat(saved.tokenizer().vocabSize()).isEqualTo(base.tokenizer().vocabSize());
        try (var before = Safetensors.open(Fixtures.folder("bert-seqcls").resolve("model.safetensors"));
                var after = Safetensors.open(folder.resolve("saved/model.safetensors"))) {
            assertThat(after.names()).isEqualTo(before.names());
        }
    }

    @Test
    void baseWithOtherParametersLeavesTheFirstAsItIs() {
        Base base = Base.load(Fixtures.folder("llama-gqa"));
        String before = base.checksum();
        Tensor changed = base.parameters().get("model.norm.weight").mul(new Scalar(2.0));

        Base other = base.withParameters(Map.of("model.norm.weight", changed));

        assertThat(base.checksum()).isEqualTo(before);
        assertThat(other.checksum()).isNotEqualTo(before);
        assertThat(Tensors.floats(other.parameters().get("model.norm.weight"))).isEqualTo(Tensors.floats(changed));
        assertThat(other.fingerprint()).isEqualTo(base.fingerprint());
    }
}
