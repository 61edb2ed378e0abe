package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Bias;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import java.util.List;
import org.junit.jupiter.api.Test;

class TinyLoraTest extends MethodContract {
    private static final TinyLora EIGHT =
            TinyLora.DEFAULT.withR(2).withU(8).withTying(0).withTargets(TargetModules.DEFAULT);

    private static TinyLora of(double dropout, TinyLora.Init init) {
        return new TinyLora(2, 8, 0, 42, false, dropout, init, 0.5, Bias.NONE, TargetModules.DEFAULT);
    }

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, EIGHT, 4 * 8, true),
                new Case(Bases.LLAMA, EIGHT.withTying(0.5), 2 * 8, true),
                new Case(Bases.LLAMA, of(0, TinyLora.Init.UNIFORM), 4 * 8, false),
                new Case(
                        Bases.TIED,
                        EIGHT.withR(3).withTying(1).withTargets(TargetModules.names("embed_tokens", "q_proj")),
                        8,
                        true));
    }

    @Test
    void layersShareTheirNumbersInGroupsOfNeighbours() {
        assertThat(names(0)).containsExactly("tinylora_v.0", "tinylora_v.1", "tinylora_v.2", "tinylora_v.3");
        assertThat(names(0.5)).containsExactly("tinylora_v.0", "tinylora_v.1");
        assertThat(names(1)).containsExactly("tinylora_v.0");
    }

    private static List<String> names(double tying) {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), EIGHT.withTying(tying), 1);
        return List.copyOf(adapter.trainable().keySet());
    }

    @Test
    void dropsInputsInTraining() {
        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), of(0.5, TinyLora.Init.ZEROS)))
                .isGreaterThan(1e-4);
    }

    @Test
    void refusesWhatIsOutOfRange() {
        assertThatThrownBy(() -> EIGHT.withR(0)).hasMessage("r is 0, expected at least 1");
        assertThatThrownBy(() -> EIGHT.withU(0)).hasMessage("u is 0, expected at least 1");
        assertThatThrownBy(() -> EIGHT.withTying(1.5))
                .isInstanceOf(InputException.class)
                .hasMessage("weight_tying is 1.5, expected a number from 0 to 1");
    }
}
