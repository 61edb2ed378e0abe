package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Bias;
import dev.graft.peft.MethodContract;
import dev.graft.peft.PatternValue;
import dev.graft.peft.TargetModules;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class MoraTest extends MethodContract {
    private static final Mora TWO = Mora.DEFAULT.withR(2).withTargets(TargetModules.DEFAULT);

    @Override
    protected List<Case> cases() {
        List<Case> cases = new ArrayList<>();
        // √128 = 11.3 and √96 = 9.8; with rotations the sides are even.
        cases.add(new Case(Bases.BERT, TWO, 4 * 10 * 10, true));
        for (Mora.Grouping grouping : Mora.Grouping.values()) {
            boolean rotates = grouping == Mora.Grouping.ROTATION;
            cases.add(new Case(
                    Bases.LLAMA, TWO.withGrouping(grouping), rotates ? 4 * 10 * 10 : 2 * (11 * 11 + 10 * 10), true));
        }
        return cases;
    }

    @Test
    void dropsInputsInTraining() {
        Mora dropping = new Mora(PatternValue.of(2), Mora.Grouping.ROTATION, 0.5, Bias.NONE, TargetModules.DEFAULT);

        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), dropping)).isGreaterThan(1e-3);
    }

    @Test
    void refusesASquareThatIsLargerThanItsLayer() {
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), TWO.withR(100), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("r is 100, which makes a square matrix of 80 a side")
                .hasMessageContaining("model.layers.0.self_attn.q_proj");
        assertThatThrownBy(() -> TWO.withR(0)).hasMessage("r is 0, expected at least 1");
    }

    @Test
    void refusesAnUnknownGroupingAndMagnitudesOfDora() {
        String config = "{\"r\": 2, \"use_mora\": true, \"mora_type\": 5, \"target_modules\": [\"q_proj\"]}";
        assertThatThrownBy(() -> read(config))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("mora_type is 5, expected 1, 2, 3, 4 or 6");
        assertThatThrownBy(() -> read(config.replace("5", "1").replace("\"r\"", "\"use_dora\": true, \"r\"")))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("use_dora is true, expected false with use_mora");
    }

    private static void read(String config) {
        new Mora.Kind().read(Fields.of("a config", Json.parse("a config", config)), Bases.load(Bases.LLAMA));
    }
}
