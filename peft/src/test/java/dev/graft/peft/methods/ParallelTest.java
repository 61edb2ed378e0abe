package dev.graft.peft.methods;

import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.methods.BottleneckConfig.Norms;
import dev.graft.peft.methods.BottleneckConfig.Residual;
import dev.graft.peft.methods.BottleneckConfig.Start;
import java.util.List;

class ParallelTest extends MethodContract {
    private static long place(long m) {
        return 2 * 32 * m + m + 32;
    }

    @Override
    protected List<Case> cases() {
        Norms own = new Norms(true, Residual.OUTPUT, false, true, false);
        BottleneckConfig config = Parallel.DEFAULT.config();
        Parallel normed = new Parallel(config.withPlaces(true, true)
                .withReduction(8)
                .withForm(true, false, own)
                .withStart(Start.BERT)
                .withGate());
        return List.of(
                new Case(Bases.BERT, Parallel.DEFAULT, 2 * place(16), true),
                new Case(Bases.BERT, normed, 4 * (place(4) + 64 + 33), false),
                new Case(Bases.LLAMA, Parallel.DEFAULT, 2 * place(16), true),
                new Case(Bases.TIED, new Parallel(config.withPlaces(true, true)), 4 * place(16), true));
    }
}
