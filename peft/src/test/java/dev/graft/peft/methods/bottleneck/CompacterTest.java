package dev.graft.peft.methods.bottleneck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Scaling;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class CompacterTest extends MethodContract {
    private static final long M = 8;

    private static Compacter of(Phm phm) {
        return new Compacter(Compacter.DEFAULT.config().withReduction(32.0 / M).withPhm(phm));
    }

    @Override
    protected List<Case> cases() {
        Compacter loud =
                new Compacter(of(Phm.DEFAULT.withUniformRule(true)).config().withScaling(Scaling.of(4)));
        Compacter factored = of(Phm.DEFAULT
                .withDim(2)
                .withRank(3)
                .withFactoredRule(true)
                .withUniformRule(true)
                .withBias(false));
        Compacter own = new Compacter(of(Phm.DEFAULT.withFactoredWeight(false).withSharedRule(false))
                .config()
                .withScaling(Scaling.of(1000)));
        Compacter shared = of(Phm.DEFAULT
                .withRank(2)
                .withSharedWeight(true)
                .withTrainRule(false)
                .withUniformRule(true));
        long place = 2 * (32 + M) + M + 32;
        return List.of(
                new Case(Bases.BERT, loud, 64 + 4 * place, false),
                new Case(Bases.BERT, factored, 2 * 2 * 2 + 4 * 2 * 3 * (32 + M), false),
                new Case(Bases.BERT, own, 4 * (2 * 64 + 2 * 32 * M / 4 + M + 32), false),
                new Case(Bases.LLAMA, loud, 64 + 4 * place, false),
                new Case(Bases.LLAMA, shared, 2 * 2 * (32 + M) + 4 * (M + 32), false));
    }

    @Test
    void theRuleIsOneForAllPlaces() {
        Adapter adapter = Adapter.create(Bases.load(Bases.BERT), of(Phm.DEFAULT), 1);

        assertThat(adapter.parameters().keySet().stream().filter(key -> key.contains("phm_rule")))
                .containsExactly("bert.shared_parameters.*.phm_rule");
    }

    @Test
    void refusesSizesThatAreNoMultiples() {
        Base base = Bases.load(Bases.BERT);

        assertThatThrownBy(() -> Adapter.create(base, Compacter.DEFAULT, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("phm_dim is 4")
                .hasMessageContaining("32 to 1");
        BottleneckConfig uneven = Compacter.DEFAULT
                .config()
                .withReduction(4)
                .withReductions(Map.of(1, 8.0))
                .withPhm(Phm.DEFAULT.withSharedWeight(true));
        assertThatThrownBy(() -> Adapter.create(base, new Compacter(uneven), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("shared_W_phm");
    }

    @Test
    void hasTheCountsThatThePaperHasOnT5() {
        // T5-base: 24 layers of 2 places, hidden 768, reduction 32; 62 layer norms of 768 are trained beside.
        long m = 768 / 32;
        long place = 2 * (768 + m) + m + 768;

        assertThat(64 + 48 * place + 62 * 768).isEqualTo(161_728);
        assertThat(64 + 24 * place + 62 * 768).isEqualTo(104_704);
    }
}
