package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.peft.Adapter;
import dev.graft.peft.Method;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.methods.lora.AdaLora;
import dev.graft.peft.methods.lora.DyLora;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.lora.Sora;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.optim.AdamW;
import dev.graft.train.optim.FlatParameters;
import dev.graft.train.optim.Optimizer;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

/** Methods that find ranks, on a truth that has known ones: a teacher's answers, which differ from the base's by a few planted ranks. */
class PlantedTest {
    private static final Base LLAMA = Tiny.llama();
    private static final LoraConfig QUERY_VALUE =
            LoraConfig.DEFAULT.withTargets(TargetModules.names("q_proj", "v_proj"));
    private static final String Q = "model.layers.%d.self_attn.q_proj";
    private static final String V = "model.layers.%d.self_attn.v_proj";
    private static final Inputs TEXT = text();

    private static Inputs text() {
        long[][] ids = new long[6][12];
        Rng rng = Rng.of(1, "text");
        for (long[] row : ids) {
            for (int i = 0; i < row.length; i++) {
                row[i] = rng.nextInt(60);
            }
        }
        return Inputs.of(ids);
    }

    /** A LoRA of rank 4 in which only these ranks are there, with the first ones the largest. */
    private static Tensor teacher(Map<String, Integer> ranks) {
        Adapter teacher = Adapter.create(LLAMA, new Lora(QUERY_VALUE.withR(4).withAlpha(4)), 1);
        try (NoGrad noGrad = new NoGrad()) {
            teacher.trainable().forEach((key, value) -> {
                String module = key.replaceAll("\\.lora_[AB]\\.weight", "");
                boolean down = key.contains("lora_A");
                value.copy_(Rng.of(5, key).normal(0, 0.6, Tensors.shape(value)));
                for (int rank = 0; rank < 4; rank++) {
                    double size = rank < ranks.getOrDefault(module, 0) ? 1.0 / (1 + rank) : 0;
                    (down ? value.select(0, rank) : value.select(1, rank)).mul_(new Scalar(Math.sqrt(size)));
                }
            });
            return logits(teacher);
        }
    }

    private static Tensor logits(Adapter adapter) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            return scope.release(LLAMA.logits(
                    TEXT, ForwardPass.inference(Selection.of(adapter).hooks())));
        }
    }

    private static double error(Adapter adapter, Tensor truth) {
        try (Scope scope = new Scope()) {
            Tensor difference = logits(adapter).sub(truth);
            return Tensors.item(difference.mul(difference).mean());
        }
    }

    private static Adapter learn(Method method, Tensor truth, int steps, double rate) {
        Adapter adapter = Adapter.create(LLAMA, method, 3);
        TrainingRule rule = method.trainingRule(adapter, new TrainingRule.Run(steps, steps, rate, 3));
        FlatParameters parameters = new FlatParameters(adapter.trainable(), rule::rate);
        Optimizer optimizer = AdamW.Settings.DEFAULT.of(parameters);
        for (int step = 0; step < steps; step++) {
            parameters.zeroGradients();
            rule.beforeStep(step);
            try (Scope scope = new Scope()) {
                ForwardPass pass = ForwardPass.training(Selection.of(adapter).hooks());
                Tensor difference = LLAMA.logits(TEXT, pass).sub(truth);
                difference.mul(difference).mean().backward();
                pass.backward();
                Tensor penalty = rule.penalty();
                if (penalty != null) {
                    penalty.backward();
                }
            }
            rule.beforeUpdate(step);
            optimizer.step(rate);
            rule.afterUpdate(step, rate);
        }
        return adapter;
    }

    private static long nonZero(Adapter adapter, String key) {
        long count = 0;
        for (float value : Tensors.floats(adapter.value(key))) {
            count += value == 0 ? 0 : 1;
        }
        return count;
    }

    @Test
    void adaLoraFindsThePlantedRanks() {
        Tensor truth = teacher(Map.of(Q.formatted(0), 1, V.formatted(1), 3));
        AdaLora method =
                new AdaLora(QUERY_VALUE.withR(8).withAlpha(8), 4, 1, null, null, 5, 0.85, 0.85, 0.1, null, null);
        Adapter adapter = learn(method, truth, 300, 1e-2);

        assertThat(nonZero(adapter, V.formatted(1) + ".lora_E")).isEqualTo(3);
        assertThat(nonZero(adapter, Q.formatted(0) + ".lora_E")).isEqualTo(1);
        assertThat(nonZero(adapter, V.formatted(0) + ".lora_E")).isZero();
        assertThat(nonZero(adapter, Q.formatted(1) + ".lora_E")).isZero();
        assertThat(error(adapter, truth)).isLessThan(0.05 * error(Adapter.create(LLAMA, method, 1), truth));
    }

    @Test
    void soraZeroesTheRanksThatAreNotThere() {
        Tensor truth = teacher(Map.of(V.formatted(1), 2));
        Sora method = new Sora(
                QUERY_VALUE.withTargets(TargetModules.names("v_proj")).withR(4).withAlpha(8), 0.9);
        Adapter adapter = learn(method, truth, 800, 1e-2);

        assertThat(nonZero(adapter, V.formatted(1) + ".lora_gate")).isEqualTo(2);
        assertThat(nonZero(adapter, V.formatted(0) + ".lora_gate")).isZero();
        assertThat(error(adapter, truth)).isLessThan(0.01 * error(Adapter.create(LLAMA, method, 1), truth));
    }

    @Test
    void dyLoraWorksAtEveryRankWhereLoraDoesNot() {
        Tensor truth = teacher(Map.of(V.formatted(1), 3));
        LoraConfig config = LoraConfig.DEFAULT
                .withTargets(TargetModules.names("layers.1.self_attn.v_proj"))
                .withR(3)
                .withAlpha(3);
        Adapter nested = learn(new DyLora(config, 1, false), truth, 400, 1e-2);
        Adapter lora = learn(new Lora(config), truth, 400, 1e-2);
        double base = error(Adapter.create(LLAMA, new Lora(config), 1), truth);
        double before = base;
        for (int rank = 1; rank <= 3; rank++) {
            double cut = error(DyLora.truncated(nested, rank), truth);
            assertThat(cut).as("rank %d", rank).isLessThan(before);
            before = cut;
        }

        assertThat(before).isLessThan(0.15 * base);
        double one = error(DyLora.truncated(nested, 1), truth);
        assertThat(one).isLessThan(0.4 * base);
        assertThat(error(DyLora.truncated(lora, 1), truth)).isGreaterThan(2 * one);
    }
}
