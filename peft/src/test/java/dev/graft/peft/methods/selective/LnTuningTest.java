package dev.graft.peft.methods.selective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class LnTuningTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        return List.of(
                // After the embeddings and twice in each of two layers, with biases
                new Case(Bases.BERT, LnTuning.DEFAULT, 5 * 2 * 32, true),
                new Case(Bases.LLAMA, LnTuning.DEFAULT, 5 * 32, true),
                new Case(Bases.TIED, new LnTuning(TargetModules.names("model.norm")), 32, true));
    }

    @Test
    void refusesWhatIsNoModule() {
        assertThatThrownBy(() ->
                        Adapter.create(Bases.load(Bases.LLAMA), new LnTuning(TargetModules.names("norm", "ln_1")), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("\"ln_1\" matches no module")
                .hasMessageContaining("post_attention_layernorm");
    }

    @Test
    void leavesOutWhatIsExcluded() {
        TargetModules without =
                new TargetModules(Set.of(), null, Set.of("post_attention_layernorm"), null, null, List.of());

        assertThat(Adapter.create(Bases.load(Bases.LLAMA), new LnTuning(without), 1)
                        .trainableCount())
                .isEqualTo(3 * 32);
    }
}
