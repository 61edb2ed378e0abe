package dev.graft.peft.methods.hybrid;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Merge;
import dev.graft.peft.Method;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.methods.bottleneck.Parallel;
import dev.graft.peft.methods.bottleneck.Pfeiffer;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.lora.LoraPlus;
import dev.graft.peft.methods.lora.Sora;
import dev.graft.peft.methods.prompt.AdapterHubPrefix;
import dev.graft.peft.methods.prompt.PromptTuning;
import dev.graft.peft.methods.reft.NoReft;
import dev.graft.peft.methods.scaling.Ia3;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UnionTest extends MethodContract {
    private static final Lora LORA = new Lora(LoraConfig.DEFAULT.withR(2).withAlpha(4));

    @Override
    protected List<Case> cases() {
        Pfeiffer adapter = Pfeiffer.DEFAULT.withReduction(8);
        Union prompts = new Union(List.of(LORA, new PromptTuning(3, PromptTuning.DEFAULT.init(), null, null)));
        Union hub = new Union(List.of(
                AdapterHubPrefix.DEFAULT.with().tokens(2).flat(true).inside(8).build(),
                adapter,
                new Parallel(Parallel.DEFAULT
                        .config()
                        .with(b -> b.attention(true).feedForward(false))
                        .withReduction(8)),
                new NoReft(NoReft.DEFAULT.config().withDropout(0))));
        long place = 2 * 32 * 4 + 4 + 32;
        return List.of(
                new Case(Bases.BERT, prompts, 2 * (4 * 2 * 64 + 2 * 2 * 96) + 2 * 64 + 3 * 32, false),
                new Case(Bases.BERT, hub, 2 * 128 + 4 * place + 2 * 2 * (2 * 4 * 32 + 4), false),
                new Case(Bases.LLAMA, hub, 2 * 64 + 4 * place + 2 * 2 * (2 * 4 * 32 + 4), false));
    }

    private static Tensor logits(Base base, Hooks hooks) {
        return base.logits(Bases.batch(), ForwardPass.inference(hooks));
    }

    @Test
    void isItsPartsOneAfterAnother() {
        Base base = Bases.load(Bases.BERT);
        Pfeiffer adapter = Pfeiffer.DEFAULT.withReduction(2);
        Adapter union = Adapter.create(base, new Union(List.of(Ia3.DEFAULT, adapter)), 3);
        Adapter one = Adapter.create(base, Ia3.DEFAULT, 3);
        Adapter two = Adapter.create(base, adapter, 3);

        Tensor together = logits(base, Selection.of(union).hooks());
        Tensor stacked =
                logits(base, Selection.all(Selection.of(one), Selection.of(two)).hooks());
        assertThat(Bases.difference(together, stacked, Bases.batch().mask())).isLessThan(1e-6);
        assertThat(union.trainable().keySet()).containsAll(one.trainable().keySet());
    }

    @Test
    void eachPartIsTrainedByItsRuleOnItsOwnParameters(@TempDir Path folder) {
        Base base = Bases.load(Bases.LLAMA);
        LoraPlus plus = new LoraPlus(LORA.config().withTargets(TargetModules.names("q_proj")), 16, 1e-6);
        Sora sora = new Sora(LORA.config().withTargets(TargetModules.names("v_proj")), 0.5);
        Adapter union = Adapter.create(base, new Union(List.of(Ia3.DEFAULT, plus, sora)), 3);
        TrainingRule rule = union.method().trainingRule(union, new TrainingRule.Run(10, 5, 1e-3, 7));

        union.trainable()
                .keySet()
                .forEach(name -> assertThat(rule.rate(name).factor())
                        .as(name)
                        .isEqualTo(name.contains("q_proj.lora_B") ? 16 : 1));
        assertThat(rule.allowsAveraging()).isFalse();
        Tensor gates = union.value("model.layers.0.self_attn.v_proj.lora_gate");
        Tensor before = gates.detach().abs();
        rule.afterUpdate(0, 1);
        assertThat(Tensors.floats(gates.detach().abs()))
                .as("pulled towards zero by the rate times 0.5")
                .containsExactly(Tensors.floats(before.sub(new Scalar(0.5)).clamp_min(new Scalar(0))));

        union.save(folder.resolve("union"));
        assertThat(((Union) Adapter.load(base, folder.resolve("union")).method()).parts())
                .hasExactlyElementsOfTypes(Ia3.class, Lora.class, Lora.class);
        assertThatThrownBy(() -> new Union(List.of(LORA, AdapterDrop.DEFAULT))).hasMessageContaining("inside it");
    }

    @Test
    void mergesIfAllPartsDo() {
        Base base = Bases.load(Bases.LLAMA);
        Adapter union = Adapter.create(base, new Union(List.of(LORA, Ia3.DEFAULT)), 3);

        assertThat(Bases.difference(
                        logits(Merge.merge(union), Hooks.NONE),
                        logits(base, Selection.of(union).hooks()),
                        Bases.batch().mask()))
                .isLessThan(2e-5);
    }

    @Test
    void refusesTwoPartsWithTensorsOfOneName() {
        Union twice = new Union(List.of(LORA, LORA));

        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.BERT), twice, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("lora_A.weight")
                .hasMessageContaining("twice");
        assertThatThrownBy(() -> new Union(List.of(LORA))).hasMessageContaining("at least 2");
        assertThatThrownBy(() -> new Union(List.of(LORA, Union.DEFAULT))).hasMessageContaining("union in it");
    }

    @Test
    void readsPartsByTheNamesThatMethodsHaveHere() {
        Base base = Bases.load(Bases.BERT);
        String json = "{\"architecture\": \"union\", \"configs\": [{\"method\": \"lora\", \"r\": 3},"
                + " {\"method\": \"prompt-tuning\", \"num_virtual_tokens\": 5}]}";
        Method read = Union.Kind.INSTANCE.read(Fields.of("union", Json.parse("union", json)), base);

        assertThat(((Lora) ((Union) read).parts().get(0)).config().r()).isEqualTo(3);
        assertThat(((PromptTuning) ((Union) read).parts().get(1)).tokens()).isEqualTo(5);
        String wrong = json.replace("\"r\": 3", "\"r\": 3, \"rank\": 3");
        assertThatThrownBy(() -> Union.Kind.INSTANCE.read(Fields.of("union", Json.parse("union", wrong)), base))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("configs[0]")
                .hasMessageContaining("rank");
    }
}
