package dev.graft.peft.methods;

import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import java.util.List;

class MamTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        Mam small = new Mam(new AdapterHubPrefix(2, false, 8, "tanh", 0, false, true, List.of()), Parallel.DEFAULT);
        long adapter = 2 * (2 * 32 * 16 + 16 + 32);
        return List.of(
                new Case(Bases.BERT, small, 2 * 32 + 8 * 33 + 128 * 9 + adapter, false),
                new Case(Bases.LLAMA, small, 2 * 32 + 8 * 33 + 64 * 9 + adapter, false));
    }
}
