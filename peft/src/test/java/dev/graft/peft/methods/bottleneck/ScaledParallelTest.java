package dev.graft.peft.methods.bottleneck;

import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Scaling;
import java.util.List;

class ScaledParallelTest extends MethodContract {
    private static final long PLACE = 2 * 32 * 16 + 16 + 32;

    @Override
    protected List<Case> cases() {
        ScaledParallel channel =
                new ScaledParallel(ScaledParallel.DEFAULT.config().withScaling(Scaling.CHANNEL));
        return List.of(
                new Case(Bases.BERT, ScaledParallel.DEFAULT, 2 * (PLACE + 1), true),
                new Case(Bases.BERT, channel, 2 * (PLACE + 32), true),
                new Case(Bases.LLAMA, channel, 2 * (PLACE + 32), true));
    }
}
