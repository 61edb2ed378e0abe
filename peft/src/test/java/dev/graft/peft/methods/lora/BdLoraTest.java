package dev.graft.peft.methods.lora;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import dev.graft.peft.inits.LoraInits;
import java.util.List;
import org.junit.jupiter.api.Test;

class BdLoraTest extends MethodContract {
    private static final LoraConfig FOUR = LoraConfig.DEFAULT.withR(4).withAlpha(8);

    private static BdLora halves(LoraConfig config, int blocks, boolean strict) {
        return new BdLora(
                config,
                blocks,
                List.of("o_proj", "down_proj"),
                List.of("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"),
                strict);
    }

    @Override
    protected List<Case> cases() {
        return List.of(
                // A whole and B in halves for what goes in, the other way round for what comes out.
                new Case(
                        Bases.LLAMA,
                        halves(FOUR, 2, true),
                        4 * 2 * ((32 + 16) + 2 * (32 + 8) + 2 * (32 + 32) + (16 + 32) + (32 + 32)),
                        true),
                new Case(
                        Bases.BERT,
                        new BdLora(FOUR, 4, List.of("query"), null, false),
                        4 * (2 * (3 * 64 + (8 + 32) + 2 * 96) + 64),
                        true));
    }

    @Test
    void refusesWhatDoesNotFit() {
        Base base = Bases.load(Bases.LLAMA);
        assertThatThrownBy(() -> Adapter.create(base, halves(FOUR, 3, true), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("nblocks is 3, which doesn't divide r (4)");
        assertThatThrownBy(() -> Adapter.create(base, new BdLora(FOUR, 2, List.of("q_proj"), null, true), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("match_strict");
        assertThatThrownBy(() -> Adapter.create(base, new BdLora(FOUR, 2, List.of("q_"), List.of("proj"), false), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("in both");
        assertThatThrownBy(() -> Adapter.create(base, halves(FOUR.withInit(LoraInits.of("olora")), 2, true), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("olora");
        LoraConfig embedding = FOUR.withTargets(TargetModules.names("embed_tokens"));
        assertThatThrownBy(() -> Adapter.create(base, halves(embedding, 2, false), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("linear layers only");
    }
}
