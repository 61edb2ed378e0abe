package dev.graft.peft.methods.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

class AdaLoraTest extends MethodContract {
    private static final AdaLora FOUR = AdaLora.DEFAULT.with(b -> b.initRank(4).targetRank(2));
    private static final AdaLora QUERY =
            FOUR.withLora(LoraConfig.DEFAULT.withR(8).withAlpha(8).withTargets(TargetModules.names("q_proj")));
    private static final String Q0 = "model.layers.0.self_attn.q_proj";
    private static final String Q1 = "model.layers.1.self_attn.q_proj";

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, FOUR, 4 * (960 + 13), true),
                new Case(Bases.LLAMA, QUERY, 4 * 2 * (64 + 1), true),
                new Case(Bases.TIED, QUERY, 4 * 2 * (64 + 1), true));
    }

    private static void set(Tensor values, double... to) {
        try (NoGrad noGrad = new NoGrad()) {
            for (int i = 0; i < to.length; i++) {
                values.select(0, i).fill_(new Scalar(to[i]));
            }
        }
    }

    @Test
    void savesTheRanksThatAreLeftAndSaysWhichOnesTheyWere(@TempDir Path folder) throws Exception {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), QUERY, 3);
        set(adapter.value(Q0 + ".lora_E"), 1, 0, 2, 0);
        adapter.save(folder.resolve("saved"));
        Adapter loaded = Adapter.load(adapter.base(), folder.resolve("saved"));

        assertThat(Tensors.floats(loaded.value(Q0 + ".lora_E"))).containsExactly(1, 2);
        assertThat(Tensors.shape(loaded.value(Q0 + ".lora_A"))).containsExactly(2, 32);
        assertThat(Tensors.shape(loaded.value(Q1 + ".lora_B"))).containsExactly(32, 0);
        JsonNode config = Json.read(folder.resolve("saved/adapter_config.json"));
        assertThat(Json.compact(config.path("rank_pattern").path(Q0 + ".lora_E")))
                .isEqualTo("[true,false,true,false]");
        assertThat(config.path("total_step").intValue()).isEqualTo(1);

        set(loaded.value(Q0 + ".lora_E"), 0, 2);
        loaded.save(folder.resolve("again"));
        assertThat(Json.compact(Json.read(folder.resolve("again/adapter_config.json"))
                        .path("rank_pattern")
                        .path(Q0 + ".lora_E")))
                .isEqualTo("[false,false,true,false]");
        assertThat(Files.exists(folder.resolve("again/adapter_model.safetensors")))
                .isTrue();
    }

    @Test
    void aNewAdapterKeepsAllItsRanksThoughTheyAreZero(@TempDir Path folder) {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), QUERY, 3);
        adapter.save(folder.resolve("saved"));

        assertThat(Tensors.shape(
                        Adapter.load(adapter.base(), folder.resolve("saved")).value(Q0 + ".lora_A")))
                .containsExactly(4, 32);
    }

    /** Gradients that make two ranks of the first module and one of the second matter; the budget is 2 a module, 4 in all. */
    @Test
    void ranksThatMatterStayAndTheOthersAreZero() {
        AdaLora method = new AdaLora(QUERY.lora(), 4, 2, 1, 1, 1, 0.85, 0.85, 0, 4, null);
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), method, 3);
        TrainingRule rule = method.trainingRule(adapter, new TrainingRule.Run(4, 4, 1e-3, 1));
        set(adapter.value(Q0 + ".lora_E"), 1, 1, 1, 1);
        set(adapter.value(Q1 + ".lora_E"), 1, 1, 1, 1);
        double[][] matter = {{9, 0.1, 8, 0.2}, {0.1, 5, 0.3, 6}};
        adapter.trainable()
                .forEach((key, value) ->
                        value.mutable_grad().put(Tensors.zeros(value.scalar_type(), Tensors.shape(value))));
        for (long step = 0; step < 4; step++) {
            set(adapter.value(Q0 + ".lora_E").grad(), matter[0]);
            set(adapter.value(Q1 + ".lora_E").grad(), matter[1]);
            rule.afterUpdate(step, 1e-3);
        }

        assertThat(Tensors.floats(adapter.value(Q0 + ".lora_E"))).containsExactly(1, 0, 1, 0);
        assertThat(Tensors.floats(adapter.value(Q1 + ".lora_E"))).containsExactly(0, 1, 0, 1);
        assertThat(rule.firstCompleteStep()).isEqualTo(3);
        assertThat(rule.penalty()).isNull();
        set(adapter.value(Q0 + ".lora_E"), 3, 3, 3, 3);
        rule.afterUpdate(4, 1e-3);
        assertThat(Tensors.floats(adapter.value(Q0 + ".lora_E"))).containsExactly(3, 0, 3, 0);
        adapter.trainable().values().forEach(value -> value.mutable_grad().reset());
    }

    @Test
    void thePenaltyIsZeroForOrthonormalFactors() {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), QUERY, 3);
        TrainingRule rule = QUERY.trainingRule(adapter, new TrainingRule.Run(10, 10, 1e-3, 1));

        assertThat(Tensors.item(rule.penalty())).isGreaterThan(0.9);
        try (NoGrad noGrad = new NoGrad()) {
            for (String module : List.of(Q0, Q1)) {
                Tensor a = adapter.value(module + ".lora_A");
                Tensor b = adapter.value(module + ".lora_B");
                a.zero_();
                b.zero_();
                for (int i = 0; i < 4; i++) {
                    a.select(0, i).select(0, i + 3).fill_(new Scalar(1.0));
                    b.select(0, i + 5).select(0, i).fill_(new Scalar(-1.0));
                }
            }
        }
        assertThat(Tensors.item(rule.penalty())).isZero();
    }

    @Test
    void refusesSchedulesThatCannotWork() {
        assertThatThrownBy(() -> new AdaLora(QUERY.lora(), 4, 2, 5, 5, 1, 0.85, 0.85, 0.5, 10, null))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("tinit is 5 and tfinal is 5 of 10 steps");
        assertThatThrownBy(() -> FOUR.withTargetRank(5))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("init_r is 4 and target_r is 5");
        AdaLora long100 = new AdaLora(QUERY.lora(), 4, 2, 5, 5, 1, 0.85, 0.85, 0.5, 100, null);
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), long100, 3);
        assertThatThrownBy(() -> long100.trainingRule(adapter, new TrainingRule.Run(50, 50, 1e-3, 1)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("total_step is 100, but the run has 50 steps");
    }

    @Test
    void refusesFieldsThatItDoesNotHave() {
        for (String field : List.of("use_rslora", "lora_bias", "use_dora")) {
            ObjectNode config = config();
            config.put(field, true);
            assertThatThrownBy(() -> read(config))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining(field);
        }
        ObjectNode init = config();
        init.put("init_lora_weights", "pissa");
        assertThatThrownBy(() -> read(init)).hasMessageContaining("init_lora_weights is pissa");
        ObjectNode pattern = config();
        pattern.putObject("rank_pattern").putArray(Q0 + ".lora_E").add(true);
        assertThatThrownBy(() -> read(pattern)).hasMessageContaining("init_r = 12 times true or false");
    }

    private static ObjectNode config() {
        ObjectNode config = tools.jackson.databind.node.JsonNodeFactory.instance.objectNode();
        config.put("init_r", 12);
        return config;
    }

    private static AdaLora read(ObjectNode config) {
        return (AdaLora) AdaLora.DEFAULT.type().read(Fields.of("config", config), Bases.load(Bases.LLAMA));
    }

    @Test
    void whatPeftLeavesOutMeansWhatPeftMeans() {
        AdaLora read = read(config());

        assertThat(read.tinit()).isZero();
        assertThat(read.tfinal()).isZero();
        assertThat(read.deltaT()).isEqualTo(1);
        assertThat(read.lora().alpha()).isEqualTo(8);
        assertThat(read.lora().targets().isDefault()).isTrue();
    }
}
