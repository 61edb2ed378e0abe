package dev.graft.peft.methods.bottleneck;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.Base;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Init;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Norms;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Scaling;
import java.util.List;
import org.junit.jupiter.api.Test;

class AdapterPlusTest extends MethodContract {
    private static final BottleneckConfig CONFIG =
            AdapterPlus.DEFAULT.config().withReduction(2).withStochasticDepth(0);

    private static long place(long m) {
        return 2 * 32 * m + m + 2 * 32;
    }

    @Override
    protected List<Case> cases() {
        AdapterPlus wide = new AdapterPlus(CONFIG.withReduction(0.25).withInit(Init.BERT));
        AdapterPlus houlsby = new AdapterPlus(CONFIG.withAttention(true)
                .withNormed(false)
                .withNorms(Norms.USUAL.withAfter(false))
                .withScaling(Scaling.CHANNEL)
                .withInit(Init.BERT));
        return List.of(
                new Case(Bases.BERT, wide, 2 * place(128), false),
                new Case(Bases.BERT, new AdapterPlus(CONFIG.withInit(Init.MAM_ADAPTER)), 2 * place(16), true),
                new Case(Bases.BERT, houlsby, 4 * place(16), false),
                new Case(Bases.LLAMA, wide, 2 * place(128), false));
    }

    @Test
    void rowsGoWithoutItInTrainingAlone() {
        Base base = Bases.load(Bases.BERT);
        AdapterPlus half = new AdapterPlus(CONFIG.withStochasticDepth(0.5));

        assertThat(effectOfDropout(base, half)).isGreaterThan(1e-2);
        assertThat(effectOfDropout(base, new AdapterPlus(CONFIG))).isLessThan(1e-5);
    }
}
