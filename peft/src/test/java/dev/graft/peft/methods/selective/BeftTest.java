package dev.graft.peft.methods.selective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Merge;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import java.util.List;
import org.junit.jupiter.api.Test;

class BeftTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, Beft.DEFAULT, 2 * 32, true),
                new Case(Bases.BIASED, new Beft(TargetModules.names("q_proj", "v_proj"), true), 2 * (32 + 16), true),
                new Case(Bases.BIASED, new Beft(TargetModules.names("q_proj"), false), 2 * 32, false));
    }

    @Test
    void fitsABaseWithoutBiasesButDoesNotMergeThere() {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), Beft.DEFAULT, 1);

        assertThat(adapter.trainableCount()).isEqualTo(2 * 16);
        assertThatThrownBy(() -> Merge.merge(adapter))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("has no bias in the base, but the adapter adds one");
    }
}
