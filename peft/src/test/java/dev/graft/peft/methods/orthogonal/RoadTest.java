package dev.graft.peft.methods.orthogonal;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import java.util.List;
import org.junit.jupiter.api.Test;

class RoadTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, Road.DEFAULT, 2 * (5 * 32 + 64) + 32, true),
                new Case(
                        Bases.LLAMA,
                        Road.DEFAULT.withVariant(2).withGroup(8),
                        2 * 2 * (3 * 32 + 2 * 16 + 2 * 64),
                        true),
                new Case(
                        Bases.TIED,
                        Road.DEFAULT.withVariant(4).withGroup(8).withTargets(TargetModules.DEFAULT),
                        4 * 4 * 32,
                        true),
                new Case(Bases.BIASED, new Road(1, 4, TargetModules.DEFAULT, false), 2 * (32 + 16), false));
    }

    @Test
    void refusesGroupsThatDoNotFit() {
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), Road.DEFAULT.withGroup(32), 1))
                .isInstanceOf(InputException.class)
                .hasMessage("group_size 32 doesn't divide the 16 outputs of model.layers.0.self_attn.k_proj");
        assertThatThrownBy(() -> Road.DEFAULT.withGroup(3)).isInstanceOf(InputException.class);
        assertThatThrownBy(() -> Road.DEFAULT.withVariant(3))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("road_3");
    }
}
