package dev.graft.peft.methods;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.Base;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.methods.BottleneckConfig.Norms;
import dev.graft.peft.methods.BottleneckConfig.Residual;
import dev.graft.peft.methods.BottleneckConfig.Scaling;
import dev.graft.peft.methods.BottleneckConfig.Start;
import java.util.List;
import org.junit.jupiter.api.Test;

class AdapterPlusTest extends MethodContract {
    private static final BottleneckConfig CONFIG =
            AdapterPlus.DEFAULT.config().withReduction(2).withDropout(0, 0);

    private static long place(long m) {
        return 2 * 32 * m + m + 2 * 32;
    }

    @Override
    protected List<Case> cases() {
        AdapterPlus wide = new AdapterPlus(CONFIG.withReduction(0.25).withStart(Start.BERT));
        AdapterPlus houlsby = new AdapterPlus(CONFIG.withPlaces(true, true)
                .withForm(false, false, new Norms(false, Residual.OUTPUT, false, false, false))
                .withScaling(Scaling.CHANNEL)
                .withStart(Start.BERT));
        return List.of(
                new Case(Bases.BERT, wide, 2 * place(128), false),
                new Case(Bases.BERT, new AdapterPlus(CONFIG.withStart(Start.MAM_ADAPTER)), 2 * place(16), true),
                new Case(Bases.BERT, houlsby, 4 * place(16), false),
                new Case(Bases.LLAMA, wide, 2 * place(128), false));
    }

    @Test
    void rowsGoWithoutItInTrainingAlone() {
        Base base = Bases.load(Bases.BERT);
        AdapterPlus half = new AdapterPlus(CONFIG.withDropout(0, 0.5));

        assertThat(effectOfDropout(base, half)).isGreaterThan(1e-2);
        assertThat(effectOfDropout(base, new AdapterPlus(CONFIG))).isLessThan(1e-5);
    }
}
