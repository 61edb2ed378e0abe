package dev.graft.peft.methods.scaling;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import java.util.List;
import org.junit.jupiter.api.Test;

class Ia3Test extends MethodContract {
    @Override
    protected List<Case> cases() {
        TargetModules all = TargetModules.ALL_LINEAR;
        return List.of(
                // key and value outputs, and the inputs of both modules called output.dense
                new Case(Bases.BERT, Ia3.DEFAULT, 2 * (32 + 32 + 32 + 64), true),
                new Case(Bases.LLAMA, Ia3.DEFAULT, 2 * (16 + 16 + 64), true),
                new Case(Bases.TIED, Ia3.DEFAULT, 2 * (32 + 32 + 64), true),
                new Case(Bases.GPT2, Ia3.DEFAULT, 2 * (96 + 64), true),
                new Case(
                        Bases.LLAMA,
                        Ia3.DEFAULT.withTargets(all).withFeedForward(new Ia3.FeedForward(List.of(), ".*mlp.*")),
                        2 * (32 + 16 + 16 + 32 + 32 + 32 + 64),
                        true),
                new Case(Bases.LLAMA, new Ia3(TargetModules.DEFAULT, null, false), 2 * (16 + 16 + 64), false));
    }

    @Test
    void refusesEmbeddings() {
        Ia3 method = Ia3.DEFAULT
                .withTargets(TargetModules.names("embed_tokens"))
                .withFeedForward(new Ia3.FeedForward(List.of(), null));

        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), method, 1))
                .isInstanceOf(InputException.class)
                .hasMessage("target_modules: model.embed_tokens is an embedding; (IA)³ scales linear layers and"
                        + " convolutions only");
    }

    @Test
    void refusesAFeedForwardModuleThatIsNoTarget() {
        assertThatThrownBy(() -> Ia3.DEFAULT
                        .withTargets(TargetModules.names("k_proj"))
                        .withFeedForward(new Ia3.FeedForward(List.of("down_proj"), null)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("\"down_proj\"")
                .hasMessageContaining("[k_proj]");
    }
}
