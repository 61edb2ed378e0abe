package dev.graft.peft.methods.lora;

import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import java.util.List;

class DoraTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        LoraConfig four = LoraConfig.DEFAULT.withR(4).withAlpha(8);
        LoraConfig embedding = four.withTargets(TargetModules.names("embed_tokens", "q_proj"));
        return List.of(
                new Case(
                        Bases.BERT,
                        new Dora(four),
                        4 * (2 * (4 * 64 + 2 * 96) + 64) + 2 * (4 * 32 + 64 + 32) + 32,
                        true),
                new Case(
                        Bases.LLAMA,
                        new Dora(four),
                        4 * 2 * (2 * 64 + 2 * 48 + 3 * 96) + 2 * (2 * 32 + 2 * 16 + 2 * 64 + 32),
                        true),
                new Case(Bases.TIED, new Dora(embedding), 4 * (64 + 32) + 32 + 2 * (4 * 64 + 32), true));
    }

    /** The norm counts as a constant, so only the magnitude has a true derivative. */
    @Override
    protected boolean isDerivative(String key) {
        return !key.contains("lora_A") && !key.contains("lora_B") && !key.contains("lora_embedding");
    }
}
