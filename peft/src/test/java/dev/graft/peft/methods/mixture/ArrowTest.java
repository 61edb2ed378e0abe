package dev.graft.peft.methods.mixture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.inits.LoraInits;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ArrowTest extends MethodContract {
    private static final Path FIXTURES = Bases.FIXTURES.resolve("composition/llama-gqa");

    private static Arrow of(ArrowConfig config, TargetModules targets, int experts, int general) {
        LoraConfig lora = LoraConfig.DEFAULT
                .withInit(LoraInits.of("false"))
                .withR(2)
                .withAlpha(8)
                .withTargets(targets);
        LoraExpert expert = new LoraExpert(lora, Map.of());
        return new Arrow(
                config,
                lora,
                java.util.Collections.nCopies(experts, expert),
                java.util.Collections.nCopies(general, expert));
    }

    @Override
    protected List<Case> cases() {
        TargetModules all = TargetModules.ALL_LINEAR;
        TargetModules some = TargetModules.names("q_proj", "down_proj");
        return List.of(
                new Case(Bases.BERT, of(ArrowConfig.DEFAULT, all, 3, 0), 0, false),
                new Case(Bases.LLAMA, of(ArrowConfig.DEFAULT.withTopK(4), all, 4, 0), 0, false),
                new Case(Bases.LLAMA, of(new ArrowConfig(1, 0.5, 7), some, 2, 0), 0, false),
                new Case(Bases.TIED, of(new ArrowConfig(2, 2, null), some, 2, 2), 0, false));
    }

    private static Inputs inputs() {
        try (Safetensors input = Safetensors.open(Bases.FIXTURES.resolve("bases/llama-gqa/reference.safetensors"))) {
            return Inputs.of(
                    Tensors.of(
                            input.bytes("input_ids"),
                            ScalarType.Long,
                            input.info("input_ids").shape()),
                    Tensors.of(
                            input.bytes("attention_mask"),
                            ScalarType.Long,
                            input.info("attention_mask").shape()));
        }
    }

    private static Tensor logits(Adapter adapter) {
        return adapter.base()
                .logits(inputs(), ForwardPass.inference(Selection.of(adapter).hooks()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"arrow", "arrow-gks"})
    void givesWhatPeftComputesForAFolderOfIts(String name, @TempDir Path folder) {
        Base base = Bases.load(Bases.LLAMA);
        Adapter router = Adapter.load(base, FIXTURES.resolve(name).resolve("arrow_router"));
        router.save(folder.resolve("saved"));
        try (Safetensors stored = Safetensors.open(FIXTURES.resolve(name).resolve("reference.safetensors"))) {
            Tensor expected = Tensors.of(
                    stored.tensor("logits").floats(), stored.info("logits").shape());

            assertThat(Bases.difference(logits(router), expected, inputs().mask()))
                    .isLessThan(1e-4);
            assertThat(Bases.difference(logits(Adapter.load(base, folder.resolve("saved"))), expected, inputs().mask()))
                    .isLessThan(1e-4);
        }
        Adapter expert = Adapter.load(base, folder.resolve("saved/task_1"));
        Adapter original = Adapter.load(base, FIXTURES.resolve(name).resolve("task_1"));
        original.parameters()
                .forEach((key, parameter) -> assertThat(expert.value(key).equal(parameter.value()))
                        .as(key)
                        .isTrue());
    }

    /** An update of rank one along a direction of its own: only tokens that lie that way should take it. */
    private static Adapter along(Base base, int axis, double size) {
        Adapter adapter = Adapter.create(
                base, new Lora(LoraConfig.DEFAULT.withR(1).withAlpha(1).withTargets(TargetModules.names("q_proj"))), 1);
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable().forEach((key, value) -> {
                if (key.endsWith("lora_A.weight")) {
                    value.zero_();
                    value.select(1, axis).add_(new Scalar(size));
                } else {
                    value.copy_(Rng.of(axis, key).normal(0, 1, Tensors.shape(value)));
                }
            });
        }
        return adapter;
    }

    @Test
    void givesATokenTheUpdateThatItLiesAlong() {
        Base base = Bases.load(Bases.LLAMA);
        List<Adapter> experts = new ArrayList<>();
        for (int axis = 0; axis < 4; axis++) {
            experts.add(along(base, axis, 1 + axis));
        }
        Adapter router = Adapter.create(base, Arrow.of(new ArrowConfig(1, 1, null), experts, List.of()), 0);
        String query = "model.layers.0.self_attn.q_proj";
        var site = java.util.Objects.requireNonNull(base.site(dev.graft.models.sites.Linear.class, query));
        for (int axis = 0; axis < 4; axis++) {
            Tensor x = Tensors.zeros(ScalarType.Float, 1, 1, 32);
            x.select(2, axis).add_(new Scalar(-2.0));
            x.select(2, (axis + 1) % 4).add_(new Scalar(0.5));
            ForwardPass pass = ForwardPass.inference(Selection.of(router).hooks());
            Tensor change = pass.hooks().linear(site, x, pass).sub(site.apply(x, pass));
            Tensor expected =
                    Ops.scale(experts.get(axis).value(query + ".lora_B.weight").t(), -2.0 * (1 + axis));

            assertThat(Tensors.item(change.squeeze(0).sub(expected).abs().amax()))
                    .isLessThan(1e-5);
        }
    }

    @Test
    void ofOneExpertItIsThatOne() {
        Base base = Bases.load(Bases.LLAMA);
        Adapter one = Adapter.load(base, FIXTURES.resolve("arrow/task_0"));

        assertThat(Bases.difference(
                        logits(Adapter.create(base, Arrow.of(List.of(one)), 0)), logits(one), inputs().mask()))
                .isLessThan(1e-5);
    }

    @Test
    void refusesWhatItCannotRoute(@TempDir Path folder) throws Exception {
        Base base = Bases.load(Bases.LLAMA);
        Adapter one = Adapter.load(base, FIXTURES.resolve("arrow/task_0"));
        Adapter elsewhere = along(base, 1, 1);
        assertThatThrownBy(() -> Adapter.create(base, Arrow.of(List.of(one, elsewhere)), 0))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("adapter 1 has no plain low-rank update at");
        assertThatThrownBy(() -> Adapter.create(base, Arrow.of(List.of(elsewhere, one)), 0))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("down_proj");
        assertThatThrownBy(() -> Arrow.of(new ArrowConfig(3, 1, null), List.of(one, one), List.of()))
                .hasMessageContaining("top_k is 3, expected at most the 2 adapters");
        Adapter whole = Adapter.create(base, one.config().withModulesToSave(List.of("lm_head")), 1);
        assertThatThrownBy(() -> Arrow.of(List.of(one, whole)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("saved lm_head.weight whole");
        Adapter classifier = Adapter.create(Bases.load(Bases.BERT), new Lora(LoraConfig.DEFAULT), 1);
        assertThatThrownBy(() -> Arrow.of(List.of(classifier)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("classifier.");
        Adapter router = Adapter.create(base, Arrow.of(List.of(one, one)), 0);
        assertThatThrownBy(() -> router.method().trainingRule(router, new TrainingRule.Run(10, 10, 1e-3, 1)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("nothing to train");
        router.save(folder.resolve("saved"));
        Path config = folder.resolve("saved/adapter_config.json");
        Files.writeString(config, Files.readString(config).replace("task_1", "../task_1"));
        assertThatThrownBy(() -> Adapter.load(base, folder.resolve("saved")))
                .hasMessageContaining("letters and digits");
        Files.writeString(config, Files.readString(config).replace("../task_1", "task_9"));
        assertThatThrownBy(() -> Adapter.load(base, folder.resolve("saved"))).hasMessageContaining("no folder task_9");
    }
}
