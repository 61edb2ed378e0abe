package dev.graft.peft.methods.hybrid;

import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.methods.bottleneck.Parallel;
import dev.graft.peft.methods.prompt.AdapterHubPrefix;
import java.util.List;

class MamTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        Mam small = new Mam(AdapterHubPrefix.DEFAULT.with().tokens(2).inside(8).build(), Parallel.DEFAULT);
        long adapter = 2 * (2 * 32 * 16 + 16 + 32);
        return List.of(
                new Case(Bases.BERT, small, 2 * 32 + 8 * 33 + 128 * 9 + adapter, false),
                new Case(Bases.LLAMA, small, 2 * 32 + 8 * 33 + 64 * 9 + adapter, false));
    }
}
