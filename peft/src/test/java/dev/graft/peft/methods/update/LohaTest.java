package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.PatternValue;
import dev.graft.peft.TargetModules;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class LohaTest extends MethodContract {
    private static final LycorisConfig TWO =
            LycorisConfig.DEFAULT.withR(2).withAlpha(4).withTargets(TargetModules.DEFAULT);

    @Override
    protected List<Case> cases() {
        LycorisConfig patterns = new LycorisConfig(
                new PatternValue<>(2, Map.of("q_proj", 3)),
                new PatternValue<>(2.0, Map.of("v_proj", 5.0)),
                0,
                0,
                true,
                TargetModules.DEFAULT);
        return List.of(
                new Case(Bases.BERT, new Loha(TWO, true), 2 * 2 * (2 * 64 + 2 * 64), true),
                new Case(Bases.LLAMA, new Loha(patterns, true), 2 * 2 * (3 * 64 + 2 * 48), true),
                new Case(
                        Bases.LLAMA,
                        new Loha(TWO.withTargets(TargetModules.names("k_proj")), false),
                        2 * 2 * 2 * 48,
                        false));
    }

    @Test
    void dropsOutputsOrModulesInTraining() {
        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), new Loha(TWO, true)))
                .isLessThan(1e-5);
        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), new Loha(TWO.withRankDropout(0.5), true)))
                .isGreaterThan(1e-3);
        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), new Loha(TWO.withModuleDropout(0.9), true)))
                .isGreaterThan(1e-3);
    }

    @Test
    void staysFiniteWhenEveryOutputIsDropped() {
        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), new Loha(TWO.withRankDropout(0.9999), true)))
                .isFinite();
    }

    @Test
    void refusesEmbeddings() {
        Loha method = new Loha(TWO.withTargets(TargetModules.names("embed_tokens", "q_proj")), true);

        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), method, 1))
                .isInstanceOf(InputException.class)
                .hasMessage("target_modules: model.embed_tokens is not a linear layer or a convolution; LoHa acts on"
                        + " linear layers and on convolutions only");
    }

    @Test
    void refusesProbabilitiesOfOne() {
        assertThatThrownBy(() -> TWO.withRankDropout(1))
                .isInstanceOf(InputException.class)
                .hasMessage("rank_dropout is 1.0, expected 0 or more and less than 1");
        assertThatThrownBy(() -> TWO.withModuleDropout(-0.1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("module_dropout is -0.1");
    }
}
