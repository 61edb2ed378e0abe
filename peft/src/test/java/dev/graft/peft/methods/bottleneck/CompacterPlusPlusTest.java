package dev.graft.peft.methods.bottleneck;

import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Scaling;
import java.util.List;

class CompacterPlusPlusTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        BottleneckConfig config = CompacterPlusPlus.DEFAULT
                .config()
                .withReduction(4)
                .withPhm(Phm.DEFAULT.withRank(2).withUniformRule(true));
        CompacterPlusPlus loud = new CompacterPlusPlus(config.withScaling(Scaling.of(4)));
        long count = 64 + 2 * (2 * 2 * (32 + 8) + 8 + 32);
        return List.of(new Case(Bases.BERT, loud, count, false), new Case(Bases.LLAMA, loud, count, false));
    }
}
