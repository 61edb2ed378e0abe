package dev.graft.peft.methods;

import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.methods.BottleneckConfig.Scaling;
import java.util.List;

class CompacterPlusPlusTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        BottleneckConfig config = CompacterPlusPlus.DEFAULT
                .config()
                .withReduction(4)
                .with(new Phm(4, 2, true, false, false, true, true, true, 1e-4, true), null);
        CompacterPlusPlus loud = new CompacterPlusPlus(config.withScaling(Scaling.of(4)));
        long count = 64 + 2 * (2 * 2 * (32 + 8) + 8 + 32);
        return List.of(new Case(Bases.BERT, loud, count, false), new Case(Bases.LLAMA, loud, count, false));
    }
}
