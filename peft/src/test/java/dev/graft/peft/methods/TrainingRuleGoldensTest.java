package dev.graft.peft.methods;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.graft.formats.Json;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.TargetModules;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.methods.lora.DyLora;
import dev.graft.peft.methods.lora.GatedLowRank;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.lora.Sora;
import dev.graft.peft.methods.selective.ChildTuning;
import dev.graft.peft.methods.selective.GradualUnfreezing;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** Numbers worked out by {@code parity/python/training_rules.py} from the papers' formulas alone. */
class TrainingRuleGoldensTest {
    private static final JsonNode GOLDENS = Json.read(Bases.FIXTURES.resolve("rules/training_rules.json"));
    private static final LoraConfig QUERY = LoraConfig.DEFAULT.withTargets(TargetModules.names("q_proj"));

    private static Tensor tensor(JsonNode stored) {
        long[] shape = stored.path("shape")
                .valueStream()
                .mapToLong(JsonNode::longValue)
                .toArray();
        float[] values = new float[stored.path("values").size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) stored.path("values").get(i).doubleValue();
        }
        return Tensors.of(values, shape);
    }

    private static void isClose(Tensor found, JsonNode stored) {
        assertThat(Tensors.item(found.detach().sub(tensor(stored)).abs().amax()))
                .isLessThan(1e-5);
    }

    @Test
    void soraGatesRanksAndTakesProximalSteps() {
        JsonNode sora = GOLDENS.path("sora");
        double alpha = sora.path("alpha").doubleValue();
        Tensor a = tensor(sora.path("a"));
        Tensor b = tensor(sora.path("b"));
        Linear layer = new Linear("layer", Role.OUTPUT, 0, b.matmul(a), null);
        GatedLowRank update = new GatedLowRank(layer, a, b, tensor(sora.path("gate")), alpha / 5, 0);
        Tensor x = tensor(sora.path("x"));
        isClose(update.apply(x, ForwardPass.inference(Hooks.NONE)), sora.path("y"));
        isClose(x.matmul(update.weight().t()), sora.path("y"));
        isClose(update.manualGradient().forward(x, null).get(0), sora.path("y"));
        Tensor y = Tensors.zeros(x.scalar_type(), 3, 6);
        update.manualGradient().forward(x, y);
        isClose(y, sora.path("y"));

        Sora method = new Sora(QUERY.withR(5).withAlpha(5), sora.path("lambda").doubleValue());
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), method, 1);
        Tensor gate = adapter.value("model.layers.1.self_attn.q_proj.lora_gate");
        try (NoGrad noGrad = new NoGrad()) {
            gate.copy_(tensor(sora.path("gate")));
        }
        method.trainingRule(adapter, new TrainingRule.Run(1, 1, 1, 1))
                .afterUpdate(0, sora.path("rate").doubleValue());
        isClose(gate, sora.path("stepped"));
    }

    @Test
    void dyLoraUsesTheFirstRanks() {
        JsonNode dylora = GOLDENS.path("dylora");
        LoraConfig config = QUERY.withR(4).withAlpha(dylora.path("alpha").doubleValue());
        for (int n = 1; n <= 4; n++) {
            DyLora.Nested update = new DyLora.Nested(
                    tensor(dylora.path("a")),
                    tensor(dylora.path("b")),
                    Tensors.of(new float[] {n}, 1),
                    config,
                    n % 2 == 0);
            isClose(
                    update.apply(tensor(dylora.path("x")), ForwardPass.training(Hooks.NONE)),
                    dylora.path("y").get(n - 1));
        }
    }

    @Test
    void childTuningKeepsTheLargestFisherInformation() {
        JsonNode child = GOLDENS.path("child_tuning");
        Tensor weight = Tensors.ones(ScalarType.Float, 40).set_requires_grad(true);
        Map<String, Tensor> weights = Map.of("weight", weight);
        ChildTuning.TaskDrivenRule rule = new ChildTuning.TaskDrivenRule(
                weights, weights, child.path("kept").intValue() / 40.0);
        rule.begin(look -> child.path("gradients").forEach(gradient -> {
            weight.mutable_grad().put(tensor(gradient));
            look.run();
        }));

        isClose(rule.state().get("weight"), child.path("mask"));
    }

    @Test
    void ratesFallFromTheOutputToTheInput() {
        Adapter adapter = Adapter.create(Bases.load(Bases.BERT), GradualUnfreezing.DEFAULT, 1);
        TrainingRule rule = adapter.method().trainingRule(adapter, new TrainingRule.Run(60, 10, 1e-3, 1));
        List<String> fromTheOutput = List.of(
                "bert.pooler.dense.bias",
                "bert.encoder.layer.1.output.dense.bias",
                "bert.encoder.layer.0.output.dense.bias",
                "bert.embeddings.word_embeddings.weight");
        for (int i = 0; i < 4; i++) {
            assertThat(rule.rate(fromTheOutput.get(i)).factor())
                    .isCloseTo(
                            GOLDENS.path("ulmfit")
                                    .path("rates_from_the_output")
                                    .get(i)
                                    .doubleValue(),
                            offset(1e-12));
        }
    }
}
