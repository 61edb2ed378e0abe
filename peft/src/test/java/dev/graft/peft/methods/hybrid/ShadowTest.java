package dev.graft.peft.methods.hybrid;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.forward.AuxiliaryOutput;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.generate.Generator;
import dev.graft.models.generate.TextListener;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.prompt.PromptTuning;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.node.ObjectNode;

class ShadowTest extends MethodContract {
    private static final Shadow EXACT = shadow(TargetModules.DEFAULT, null);
    private static final Path ADAPTERS = Bases.FIXTURES.resolve("adapters");

    private static Shadow shadow(TargetModules targets, Integer layers) {
        return new Shadow(targets, 4, 0.5, 0, true, layers, null, null, null, true, null, 0.05);
    }

    /** What L layers of d train with rank r and inner size u. */
    private static long beside(long layers, long d, long r, long u) {
        return layers * (2 * r * d + 4 * d * u + 2 * u + 2 * d);
    }

    @Override
    protected List<Case> cases() {
        // Queries, keys, values and output, the feed-forward block, two norms.
        long grouped = 2 * 32 * 32 + 2 * 16 * 32 + 3 * 64 * 32 + 2 * 32;
        long whole = 4 * 32 * 32 + 3 * 64 * 32 + 2 * 32;
        Shadow narrow = new Shadow(TargetModules.DEFAULT, 3, 0.7, 0, false, 2, 16, 2, 24, true, 5, 0);
        // Heads keep their size, 8: queries and output are 16 by 16, keys and values have two heads too.
        long small = 4 * 16 * 16 + 3 * 24 * 16 + 2 * 16;
        // With the learned embeddings, of tokens too, though they are not read.
        long gpt2 = (292 + 64) * 32 + (4 * 32 * 32 + 4 * 32) + (2 * 32 * 64 + 32 + 64) + 4 * 32 + 2 * 32;
        return List.of(
                new Case(Bases.LLAMA, EXACT, beside(2, 32, 4, 4) + grouped + 32, true),
                new Case(
                        Bases.LLAMA,
                        shadow(TargetModules.names("layers.1"), 2),
                        beside(1, 32, 4, 4) + 2 * grouped + 32,
                        true),
                new Case(Bases.LLAMA, narrow, beside(2, 32, 3, 5) + 2 * small + 16 + 64 * 16 + 32 * 16, false),
                new Case(
                        Bases.TIED,
                        shadow(TargetModules.regex(".*layers.0"), null),
                        beside(1, 32, 4, 4) + whole + 32,
                        true),
                new Case(Bases.GPT2, EXACT, beside(2, 32, 4, 4) + gpt2, true));
    }

    @ParameterizedTest
    @CsvSource({
        "llama-gqa, shadow",
        "llama-gqa, shadow-narrow",
        "llama-gqa, shadow-head",
        "gpt2, shadow",
        "gemma3, shadow"
    })
    void writesTheSameTextWithACacheAsWithout(String name, String fixture) {
        Base base = Bases.load(name);
        Adapter shadow = Adapter.load(base, ADAPTERS.resolve(name).resolve(fixture));
        List<Selection> rows = List.of(Selection.of(shadow), Selection.BASE, Selection.of(shadow, 2));
        List<int[]> prompts = List.of(new int[] {5, 9, 12}, new int[] {30}, new int[] {7, 21, 40, 3, 8});
        Generator generator = new Generator(base, null);
        GenerateOptions options = GenerateOptions.DEFAULT.withMaxNewTokens(10).withEndTokens(Set.of());
        List<int[]> together =
                generator.generate(prompts, options, Selection.rows(rows).hooks(), TextListener.SILENT).stream()
                        .map(generated -> generated.ids())
                        .toList();
        for (int row = 0; row < rows.size(); row++) {
            assertThat(together.get(row)).isEqualTo(Bases.greedy(base, rows.get(row), prompts.get(row), 10));
        }
        Tensor logits = base.logits(
                Bases.batch(), ForwardPass.inference(Selection.of(shadow).hooks()));
        Tensor plain = base.logits(Bases.batch(), ForwardPass.inference(Hooks.NONE));
        assertThat(Bases.difference(logits, plain, Bases.batch().mask())).isGreaterThan(0.1);
    }

    @Test
    void asksForTheLossOfTheShadowAlone() {
        Base base = Bases.load(Bases.LLAMA);
        Adapter shadow = Adapter.load(base, ADAPTERS.resolve("llama-gqa/shadow"));
        ForwardPass pass = ForwardPass.training(Selection.of(shadow).hooks());
        base.forward(Bases.batch(), pass);

        assertThat(pass.auxiliaries()).hasSize(1);
        AuxiliaryOutput auxiliary = pass.auxiliaries().get(0);
        assertThat(auxiliary.weight()).isEqualTo(0.05);
        assertThat(auxiliary.headOr(base.head())).isSameAs(base.head());
        Tensor logits = auxiliary.headOr(base.head()).logits(auxiliary.hidden(), pass);
        ForwardPass plain = ForwardPass.inference(Selection.of(shadow).hooks());
        assertThat(Bases.difference(
                        logits, base.logits(Bases.batch(), plain), Bases.batch().mask()))
                .isGreaterThan(0.1);
        logits.sum().backward();
        pass.backward();
        assertThat(gradient(shadow, "shadow_backbone.default.norm.weight")).isPositive();
        assertThat(shadow.value("model.layers.0.shadow_down.default.weight")
                        .grad()
                        .defined())
                .isFalse();
    }

    private static double gradient(Adapter adapter, String key) {
        return Tensors.item(adapter.value(key).grad().abs().amax());
    }

    @Test
    void hasAHeadOfItsOwnForClasses() {
        Base base = Base.load(Bases.FIXTURES.resolve("bases/llama-seqcls"));
        Adapter shadow = Adapter.create(base, EXACT, 1);
        Tensor own = shadow.value("shadow_head.default.weight");

        assertThat(own.equal(base.parameters().get("score.weight"))).isTrue();
        assertThat(own.requires_grad()).isTrue();
        assertThat(shadow.config().modulesToSave()).contains("score");
        Adapter without = Adapter.create(
                base, new Shadow(TargetModules.DEFAULT, 4, 0.5, 0, true, null, null, null, null, true, null, 0), 1);
        assertThat(without.value("shadow_head.default.weight").requires_grad()).isFalse();
        Base tags = Base.load(
                Bases.FIXTURES.resolve("bases/llama-gqa"),
                Base.Options.of(Task.TOKEN_CLS).withLabels(List.of("a", "b")));
        ForwardPass pass = ForwardPass.training(
                Selection.of(Adapter.create(tags, EXACT, 1)).hooks());
        tags.forward(Bases.batch(), pass);
        assertThat(pass.auxiliaries()).isEmpty();
    }

    @Test
    void startsAsAModelOfItsFamily() {
        Adapter gemma = Adapter.create(Bases.load("gemma3"), EXACT, 3);
        Adapter llama = Adapter.create(Bases.load(Bases.LLAMA), EXACT, 3);

        assertThat(Tensors.item(
                        gemma.value("shadow_backbone.default.norm.weight").abs().sum()))
                .isZero();
        assertThat(Tensors.item(
                        llama.value("shadow_backbone.default.norm.weight").sum()))
                .isEqualTo(32);
        Tensor queries = llama.value("shadow_backbone.default.layers.0.self_attn.q_proj.weight");
        assertThat(Tensors.item(queries.std())).isBetween(0.018, 0.022);
        assertThat(llama.parameters().keySet()).noneMatch(key -> key.contains("embed"));
    }

    /** What an optimiser does: the values move to memory of its own. */
    @Test
    void followsParametersThatMove() {
        Base base = Bases.load(Bases.GPT2);
        Adapter shadow = Adapter.load(base, ADAPTERS.resolve("gpt2/shadow"));
        Tensor before = base.logits(
                Bases.batch(), ForwardPass.inference(Selection.of(shadow).hooks()));
        Tensor queries = shadow.value("shadow_backbone.default.h.0.attn.c_attn.weight");
        queries.set_data(Ops.scale(queries.detach(), 3));

        Tensor after = base.logits(
                Bases.batch(), ForwardPass.inference(Selection.of(shadow).hooks()));
        assertThat(Bases.difference(before, after, Bases.batch().mask())).isGreaterThan(1e-3);
    }

    @Test
    void takesLayersByTheirIndicesAndNamesThemInItsFile(@TempDir Path folder) {
        Base base = Bases.load("qwen2-window");
        TargetModules upper = new TargetModules(Set.of(), null, Set.of(), null, List.of(1, 2), List.of());
        Adapter shadow = Adapter.create(base, shadow(upper, null), 1);
        shadow.save(folder.resolve("saved"));

        assertThat(shadow.sites().stream().map(Site::name))
                .containsExactly("model.layers.0", "model.layers.1", "model.layers.2");
        Fields config = Fields.read(folder.resolve("saved/adapter_config.json"));
        assertThat(config.strings("target_modules")).containsExactly("model.layers.1", "model.layers.2");
        assertThat(config.integersOrNull("layers_to_transform")).isNull();
    }

    @Test
    void refusesWhatItCannotDo() {
        Base three = Bases.load("qwen2-window");
        refused(three, shadow(TargetModules.names("layers.0", "layers.2"), null), "doesn't follow model.layers.0");
        refused(three, shadow(TargetModules.names("q_proj"), null), "match no layer");
        refused(three, shadow(TargetModules.DEFAULT, 4), "4 layers, expected 1 to 3");
        refused(Bases.load(Bases.BERT), EXACT, "layers of a decoder");
        Base base = Bases.load(Bases.LLAMA);
        Adapter shadow = Adapter.create(base, EXACT, 1);
        Adapter prompt = Adapter.create(base, PromptTuning.DEFAULT, 1);
        Selection both = Selection.all(Selection.of(prompt), Selection.of(shadow));
        Selection apart = Selection.rows(LongStream.range(0, Bases.batch().rows())
                .mapToObj(row -> Selection.of(row == 0 ? prompt : shadow))
                .toList());
        assertThatThrownBy(() -> base.logits(Bases.batch(), ForwardPass.inference(both.hooks())))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("together with a prompt");
        assertThatThrownBy(() -> base.logits(Bases.batch(), ForwardPass.inference(apart.hooks())))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("others put a prompt");
        ObjectNode json = (ObjectNode) Json.read(ADAPTERS.resolve("llama-gqa/shadow/adapter_config.json"));
        json.put("shadow_model", "org/model");
        assertThatThrownBy(() -> Shadow.Kind.INSTANCE.read(Fields.of("adapter_config.json", json), base))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("shadow_model");
    }

    private static void refused(Base base, Shadow shadow, String why) {
        assertThatThrownBy(() -> Adapter.create(base, shadow, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(why);
    }
}
