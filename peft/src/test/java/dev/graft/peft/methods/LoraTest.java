package dev.graft.peft.methods;

import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Targets;
import java.util.List;

class LoraTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        LoraConfig four = LoraConfig.DEFAULT.withRank(4, 8);
        LoraConfig embedding = four.withTargets(Targets.names("embed_tokens", "q_proj"));
        return List.of(
                // Four matrices of 32 by 32, two of 64 by 32 in each of two layers, and the pooler.
                new Case(Bases.BERT, new Lora(four), 4 * (2 * (4 * 64 + 2 * 96) + 64), true),
                new Case(Bases.LLAMA, new Lora(four), 4 * 2 * (2 * 64 + 2 * 48 + 3 * 96), true),
                new Case(Bases.TIED, new Lora(embedding), 4 * (64 + 32) + 4 * 2 * 64, true),
                new Case(Bases.GPT2, new Lora(four), 4 * 2 * (32 + 96 + 64 + 2 * 96), true));
    }
}
