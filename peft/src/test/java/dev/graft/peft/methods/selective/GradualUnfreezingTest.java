package dev.graft.peft.methods.selective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.TrainingRule.Rate;
import java.util.List;
import org.junit.jupiter.api.Test;

class GradualUnfreezingTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(
                        Bases.BERT,
                        GradualUnfreezing.DEFAULT,
                        Bases.load(Bases.BERT).parameterCount() - (3 * 32 + 3),
                        true),
                new Case(
                        Bases.LLAMA,
                        new GradualUnfreezing(2.6, 1.0),
                        Bases.load(Bases.LLAMA).parameterCount(),
                        true));
    }

    private static TrainingRule rule(String base, GradualUnfreezing method) {
        Adapter adapter = Adapter.create(Bases.load(base), method, 1);
        return method.trainingRule(adapter, new TrainingRule.Run(60, 10, 1e-3, 1));
    }

    @Test
    void aLayerJoinsEachEpochAndLearnsSlowerThanTheOneAbove() {
        TrainingRule rule = rule(Bases.BERT, new GradualUnfreezing(2.6, 1.0));

        assertThat(rule.rate("classifier.weight")).isEqualTo(Rate.DEFAULT);
        assertThat(rule.rate("bert.pooler.dense.weight")).isEqualTo(Rate.DEFAULT);
        assertThat(rule.rate("bert.encoder.layer.1.output.dense.bias")).isEqualTo(new Rate(1 / 2.6, 10));
        assertThat(rule.rate("bert.encoder.layer.0.attention.self.query.weight"))
                .isEqualTo(new Rate(1 / (2.6 * 2.6), 20));
        assertThat(rule.rate("bert.embeddings.LayerNorm.weight")).isEqualTo(new Rate(1 / Math.pow(2.6, 3), 30));
    }

    @Test
    void byDefaultAllLayersAreInByTheMiddleAndATiedHeadIsTheBottom() {
        TrainingRule rule = rule(Bases.TIED, new GradualUnfreezing(1, null));

        assertThat(rule.rate("model.norm.weight")).isEqualTo(Rate.DEFAULT);
        assertThat(rule.rate("model.layers.1.mlp.up_proj.weight")).isEqualTo(new Rate(1, 10));
        assertThat(rule.rate("model.embed_tokens.weight")).isEqualTo(new Rate(1, 30));
    }

    @Test
    void refusesRatesThatGrowTowardsTheInput() {
        assertThatThrownBy(() -> new GradualUnfreezing(0.5, null))
                .isInstanceOf(InputException.class)
                .hasMessage("rate_decay is 0.5, expected 1 or more");
    }
}
