package dev.graft.peft.methods.bottleneck;

import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Init;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Norms;
import java.util.List;

class ParallelTest extends MethodContract {
    private static long place(long m) {
        return 2 * 32 * m + m + 32;
    }

    @Override
    protected List<Case> cases() {
        Norms own = Norms.USUAL.withOwnAfter(true);
        BottleneckConfig config = Parallel.DEFAULT.config();
        Parallel normed = new Parallel(config.withAttention(true)
                .withReduction(8)
                .withNorms(own)
                .withInit(Init.BERT)
                .withGated(true));
        return List.of(
                new Case(Bases.BERT, Parallel.DEFAULT, 2 * place(16), true),
                new Case(Bases.BERT, normed, 4 * (place(4) + 64 + 33), false),
                new Case(Bases.LLAMA, Parallel.DEFAULT, 2 * place(16), true),
                new Case(Bases.TIED, new Parallel(config.withAttention(true)), 4 * place(16), true));
    }
}
