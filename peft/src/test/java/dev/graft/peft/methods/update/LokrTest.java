package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

class LokrTest extends MethodContract {
    private static final LycorisConfig ONE =
            LycorisConfig.DEFAULT.withR(1).withAlpha(2).withTargets(TargetModules.DEFAULT);
    private static final LycorisConfig QUERIES = ONE.withTargets(TargetModules.names("q_proj"));

    @Override
    protected List<Case> cases() {
        return List.of(
                // 32 = 4 · 8 and 16 = 4 · 4
                new Case(Bases.BERT, new Lokr(ONE, false, -1, false, Lokr.Init.ZERO_FIRST), 4 * (16 + 16), true),
                new Case(
                        Bases.LLAMA,
                        new Lokr(ONE, false, -1, false, Lokr.Init.ZERO_SECOND),
                        2 * (16 + 16) + 2 * (16 + 12),
                        true),
                new Case(Bases.LLAMA, new Lokr(QUERIES, true, 8, true, Lokr.Init.ZERO_FIRST), 2 * (16 + 8), true),
                new Case(
                        Bases.LLAMA,
                        new Lokr(QUERIES.withR(4).withAlpha(4), false, -1, false, Lokr.Init.RANDOM),
                        2 * (16 + 64),
                        false));
    }

    @Test
    void factorsSizesAsTheReferenceDoes() {
        int checked = 0;
        for (Map.Entry<String, JsonNode> factor : Json.read(Bases.FIXTURES.resolve("maths/lokr_factorisation.json"))
                .path("factors")
                .properties()) {
            for (JsonNode row : factor.getValue()) {
                long size = row.get(0).longValue();
                assertThat(Lokr.factors(size, Integer.parseInt(factor.getKey())))
                        .as("%d with factor %s", size, factor.getKey())
                        .containsExactly(row.get(1).longValue(), row.get(2).longValue());
                checked++;
            }
        }
        assertThat(checked).isGreaterThan(100);
    }

    @Test
    void dropsOutputsOrModulesInTraining() {
        for (boolean rescales : new boolean[] {false, true}) {
            Lokr method = new Lokr(ONE.withRankDropout(0.5), false, -1, rescales, Lokr.Init.ZERO_FIRST);
            assertThat(effectOfDropout(Bases.load(Bases.LLAMA), method)).isGreaterThan(1e-3);
        }
    }

    @Test
    void refusesAFactorOfZero() {
        assertThatThrownBy(() -> new Lokr(ONE, false, 0, false, Lokr.Init.ZERO_FIRST))
                .isInstanceOf(InputException.class)
                .hasMessage("decompose_factor is 0, expected -1 or at least 1");
    }
}
