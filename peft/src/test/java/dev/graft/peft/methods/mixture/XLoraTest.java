package dev.graft.peft.methods.mixture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.generate.Generator;
import dev.graft.models.generate.TextListener;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.peft.inits.LoraInits;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.prompt.PromptTuning;
import dev.graft.peft.methods.scaling.Ia3;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class XLoraTest extends MethodContract {
    private static final Path FIXTURE = Bases.FIXTURES.resolve("composition/llama-gqa/xlora");
    private static final XLoraConfig EXACT = new XLoraConfig(1, 24, 0, false, true, 1, null, false, 1, false);
    private static final XLoraConfig LAYERWISE = new XLoraConfig(2, 24, 0, true, true, 0.5, null, false, 1.5, false);

    private static LoraExpert expert(TargetModules targets) {
        return new LoraExpert(
                LoraConfig.DEFAULT
                        .withInit(LoraInits.of("false"))
                        .withR(2)
                        .withAlpha(8)
                        .withTargets(targets),
                Map.of());
    }

    private static XLora of(XLoraConfig config, TargetModules... targets) {
        return new XLora(config, Arrays.stream(targets).map(XLoraTest::expert).toList());
    }

    @Override
    protected List<Case> cases() {
        TargetModules all = TargetModules.ALL_LINEAR;
        TargetModules queries = TargetModules.names("q_proj");
        TargetModules other = TargetModules.names("v_proj", "q_proj", "embed_tokens");
        XLoraConfig two = new XLoraConfig(3, 24, 0, false, true, 1, 2, true, 1, false);
        XLoraConfig whole = new XLoraConfig(1, 24, 0, false, true, 1, null, false, 0.5, true);
        long classifier = 33 * 2;
        return List.of(
                new Case(Bases.BERT, of(EXACT, all, all), classifier, false),
                new Case(Bases.LLAMA, of(EXACT, all, all), classifier, false),
                // Five adapted layers: the embedding, and queries and values of two layers.
                new Case(Bases.LLAMA, of(LAYERWISE, queries, other), 33 * 24 + 25 * 2 * 5, false),
                new Case(Bases.LLAMA, of(two, all, queries, queries), 33 * 24 + 25 * 24 + 25 * 3, false),
                new Case(Bases.TIED, of(whole, queries, queries), classifier + 2 * 2 * 2 * (32 + 32), false));
    }

    private static Tensor read(Safetensors file, String name) {
        return Tensors.of(file.tensor(name).floats(), file.info(name).shape());
    }

    private static Adapter reference(Base base) {
        List<Adapter> experts =
                List.of(Adapter.load(base, FIXTURE.resolve("0")), Adapter.load(base, FIXTURE.resolve("1")));
        XLoraConfig config = new XLoraConfig(2, 16, 0, true, true, 1, null, false, 1, false);
        Adapter mixture = Adapter.create(base, XLora.of(experts).with(config), 1);
        try (Safetensors stored = Safetensors.open(FIXTURE.resolve("reference.safetensors"));
                NoGrad noGrad = new NoGrad()) {
            mixture.trainable().forEach((key, value) -> value.copy_(read(stored, "classifier.base_model." + key)));
        }
        return mixture;
    }

    @Test
    void givesWhatPeftComputes(@TempDir Path folder) {
        Base base = Bases.load(Bases.LLAMA);
        Adapter mixture = reference(base);
        mixture.save(folder.resolve("saved"));
        try (Safetensors stored = Safetensors.open(FIXTURE.resolve("reference.safetensors"));
                Safetensors input = Safetensors.open(Bases.FIXTURES.resolve("bases/llama-gqa/reference.safetensors"))) {
            Tensor mask = Tensors.of(
                    input.bytes("attention_mask"),
                    ScalarType.Long,
                    input.info("attention_mask").shape());
            Inputs inputs = Inputs.of(
                    Tensors.of(
                            input.bytes("input_ids"),
                            ScalarType.Long,
                            input.info("input_ids").shape()),
                    mask);
            for (Adapter adapter : List.of(mixture, Adapter.load(base, folder.resolve("saved")))) {
                Tensor found = base.logits(
                        inputs, ForwardPass.inference(Selection.of(adapter).hooks()));

                assertThat(Bases.difference(found, read(stored, "logits"), mask))
                        .isLessThan(1e-5);
                assertThat(Bases.difference(found, base.logits(inputs, ForwardPass.inference(Hooks.NONE)), mask))
                        .isGreaterThan(0.1);
            }
        }
    }

    @Test
    void writesItsExpertsAsAdaptersThatStandAlone(@TempDir Path folder) {
        Base base = Bases.load(Bases.LLAMA);
        reference(base).save(folder.resolve("saved"));

        Adapter one = Adapter.load(base, folder.resolve("saved/1"));
        Adapter original = Adapter.load(base, FIXTURE.resolve("1"));
        original.parameters()
                .forEach((key, parameter) -> assertThat(one.value(key).equal(parameter.value()))
                        .as(key)
                        .isTrue());
    }

    /** What PEFT itself saves lacks most of the experts' tensors and the classifier's first layer. */
    @Test
    void refusesWhatLacksTensors() {
        Base base = Bases.load(Bases.LLAMA);
        assertThatThrownBy(() -> Adapter.load(base, FIXTURE.resolve("saved")))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("has no tensor");
    }

    @Test
    void writesTheSameTextWithACacheAsWithout() {
        Base base = Bases.load(Bases.LLAMA);
        Adapter mixture = reference(base);
        List<Selection> rows = List.of(Selection.of(mixture), Selection.BASE, Selection.of(mixture, 2));
        List<int[]> prompts = List.of(new int[] {5, 9, 12}, new int[] {30}, new int[] {7, 21, 40, 3, 8});
        Generator generator = new Generator(base, null);
        GenerateOptions options = GenerateOptions.DEFAULT.withMaxNewTokens(10).withEndTokens(Set.of());
        List<int[]> together =
                generator.generate(prompts, options, Selection.rows(rows).hooks(), TextListener.SILENT).stream()
                        .map(generated -> generated.ids())
                        .toList();
        for (int row = 0; row < rows.size(); row++) {
            int[] alone = generator
                    .generate(List.of(prompts.get(row)), options, rows.get(row).hooks(), TextListener.SILENT)
                    .get(0)
                    .ids();
            assertThat(together.get(row))
                    .isEqualTo(alone)
                    .isEqualTo(Bases.greedy(base, rows.get(row), prompts.get(row), 10));
        }
    }

    @Test
    void mixesTwoOfOneToThatOne() {
        Base base = Bases.load(Bases.LLAMA);
        Adapter one = Adapter.load(base, FIXTURE.resolve("0"));
        Adapter mixture = Adapter.create(base, XLora.of(List.of(one, one)).with(EXACT), 3);
        Inputs in = Bases.batch();

        assertThat(Bases.difference(
                        base.logits(
                                in, ForwardPass.inference(Selection.of(mixture).hooks())),
                        base.logits(in, ForwardPass.inference(Selection.of(one).hooks())),
                        in.mask()))
                .isLessThan(1e-5);
    }

    @Test
    void givesTheLargestSharesAlone() {
        XLoraConfig two = new XLoraConfig(1, 8, 0, false, true, 1, 2, false, 1, false);
        Tensor shares = Tensors.of(new float[] {0.1f, 0.5f, 0.4f}, 1, 1, 3);

        assertThat(Tensors.doubles(two.chosen(shares)))
                .usingComparatorWithPrecision(1e-6)
                .containsExactly(0, 0.5, 0.4);
        XLoraConfig again = new XLoraConfig(1, 8, 0, false, true, 1, 2, true, 1, false);
        double e = Math.exp(0.1);
        assertThat(Tensors.doubles(again.chosen(shares)))
                .usingComparatorWithPrecision(1e-6)
                .containsExactly(0, e / (1 + e), 1 / (1 + e));
        assertThat(Tensors.doubles(two.shares(shares.mul(new Scalar(0.0)))))
                .usingComparatorWithPrecision(1e-6)
                .containsExactly(1 / 3.0, 1 / 3.0, 1 / 3.0);
    }

    @Test
    void refusesWhatItCannotMix(@TempDir Path folder) throws Exception {
        Base base = Bases.load(Bases.LLAMA);
        Adapter lora = Adapter.load(base, FIXTURE.resolve("0"));
        Adapter ia3 = Adapter.create(base, Ia3.DEFAULT, 1);
        assertThatThrownBy(() -> XLora.of(List.of(lora, ia3))).hasMessageContaining("ia3");
        assertThatThrownBy(() -> XLora.of(List.of(lora))).hasMessageContaining("at least two");
        Adapter head =
                Adapter.create(base, new Lora(LoraConfig.DEFAULT.withTargets(TargetModules.names("lm_head"))), 1);
        assertThatThrownBy(() -> Adapter.create(base, XLora.of(List.of(head, lora)), 1))
                .hasMessageContaining("lm_head");
        Adapter whole = Adapter.create(base, lora.config().withModulesToSave(List.of("norm")), 1);
        assertThatThrownBy(() -> XLora.of(List.of(lora, whole)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("norm.weight whole (modules_to_save)");
        Adapter classifier = Adapter.create(Bases.load(Bases.BERT), new Lora(LoraConfig.DEFAULT), 1);
        assertThat(XLora.of(List.of(classifier, classifier)).experts()).hasSize(2);
        Adapter prompt = Adapter.create(base, PromptTuning.DEFAULT, 1);
        Selection both = Selection.all(Selection.of(prompt), Selection.of(reference(base)));
        assertThatThrownBy(() -> base.logits(Bases.batch(), ForwardPass.inference(both.hooks())))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("together with a prompt");
        reference(base).save(folder.resolve("saved"));
        Path config = folder.resolve("saved/adapter_config.json");
        Files.writeString(
                config,
                Files.readString(config)
                        .replace("\"scaling_pass_value\" : 0.0", "\"scaling_pass_value\" : 0.5")
                        .replace("\"scaling_pass_value\": 0.0", "\"scaling_pass_value\": 0.5"));
        assertThatThrownBy(() -> Adapter.load(base, folder.resolve("saved")))
                .hasMessageContaining("scaling_pass_value");
    }
}
