package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class ShiraTest extends MethodContract {
    private static final Shira TWO = Shira.DEFAULT.withR(2).withTargets(TargetModules.DEFAULT);
    private static final Path OF_PEFT = Bases.FIXTURES.resolve("adapters/llama-gqa/shira");

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, TWO, 2 * 4 * 64, true),
                new Case(Bases.LLAMA, TWO, 2 * 2 * (64 + 48), true),
                new Case(Bases.TIED, new Shira(1, "random", 5, TargetModules.names("q_proj"), false), 2 * 64, false));
    }

    @Test
    void choosesThePlacesThatPeftChoosesForASeed() {
        Base base = Bases.load(Bases.LLAMA);
        Adapter theirs = Adapter.load(base, OF_PEFT);
        Adapter ours = Adapter.create(base, theirs.method(), 1);

        for (String module : List.of("model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.v_proj")) {
            String key = module + ".shira_indices";
            assertThat(Tensors.longs(ours.parameters().get(key).value()))
                    .isEqualTo(Tensors.longs(theirs.parameters().get(key).value()));
        }
    }

    @Test
    void choosesOtherPlacesForAnotherAdapterWithoutASeed() {
        Base base = Bases.load(Bases.LLAMA);
        String key = "model.layers.0.self_attn.q_proj.shira_indices";

        assertThat(Tensors.longs(
                        Adapter.create(base, TWO, 1).parameters().get(key).value()))
                .isNotEqualTo(Tensors.longs(
                        Adapter.create(base, TWO, 2).parameters().get(key).value()));
    }

    @Test
    void takesAnotherMaskOnlyFromAFile() {
        assertThatThrownBy(() -> Adapter.create(
                        Bases.load(Bases.LLAMA), new Shira(2, "magnitude", null, TargetModules.DEFAULT, true), 1))
                .isInstanceOf(InputException.class)
                .hasMessage("mask_type is \"magnitude\", expected \"random\" for a new adapter");
    }

    @Test
    void refusesMoreEntriesThanAWeightHas() {
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), TWO.withR(11), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("r 11 makes 528 values")
                .hasMessageContaining("v_proj")
                .hasMessageContaining("512");
    }
}
