package dev.graft.models.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.tensor.Rng;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

class SamplerTest {
    /** Probabilities 0.5, 0.25, 0.125, 0.0625, 0.0625. */
    static final double[] PROBABILITIES = {0.125, 0.5, 0.0625, 0.25, 0.0625};

    static final GenerateOptions SAMPLED = GenerateOptions.DEFAULT.withTemperature(1);

    static float[] logits() {
        float[] logits = new float[PROBABILITIES.length];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = (float) Math.log(PROBABILITIES[i]) + 3;
        }
        return logits;
    }

    static double[] frequencies(GenerateOptions options) {
        Sampler sampler = new Sampler(options, Rng.of(3, "test"));
        double[] counts = new double[PROBABILITIES.length];
        for (int i = 0; i < 20_000; i++) {
            counts[sampler.next(logits())] += 1 / 20_000.0;
        }
        return counts;
    }

    static Set<Integer> kept(GenerateOptions options) {
        Set<Integer> kept = new TreeSet<>();
        double[] frequencies = frequencies(options);
        for (int i = 0; i < frequencies.length; i++) {
            if (frequencies[i] > 0) {
                kept.add(i);
            }
        }
        return kept;
    }

    @Test
    void withoutTemperatureTheLikeliestIsTaken() {
        assertThat(new Sampler(GenerateOptions.DEFAULT, Rng.of(1, "test")).next(logits()))
                .isEqualTo(1);
        assertThat(Sampler.likeliest(new float[] {2, 5, 5})).isEqualTo(1);
    }

    /** parity/python/sampling_goldens.py */
    @Test
    void probabilitiesAreThoseOfTheReference() {
        for (JsonNode golden : Json.read(Path.of("../parity/fixtures/sampling/cases.json"))) {
            JsonNode given = golden.get("options");
            GenerateOptions options = GenerateOptions.DEFAULT
                    .withTemperature(given.path("temperature").asDouble(1))
                    .withTopP(given.path("top_p").asDouble(1))
                    .withTopK(given.path("top_k").asInt(0))
                    .withMinP(given.path("min_p").asDouble(0))
                    .withRepetitionPenalty(given.path("repetition_penalty").asDouble(1));
            Sampler sampler = new Sampler(options, Rng.of(1, "test"));
            golden.get("seen").forEach(id -> sampler.markSeen(id.intValue()));
            float[] logits = new float[golden.get("logits").size()];
            for (int id = 0; id < logits.length; id++) {
                logits[id] = golden.get("logits").get(id).floatValue();
            }
            sampler.penalise(logits);
            double[] weights = sampler.weights(logits, logits[Sampler.likeliest(logits)]);
            double total = Arrays.stream(weights).sum();
            for (int id = 0; id < weights.length; id++) {
                assertThat(weights[id] / total)
                        .as("%s of %s", id, given)
                        .isCloseTo(golden.get("probabilities").get(id).doubleValue(), within(1e-6));
            }
        }
    }

    @Test
    void drawsFollowTheProbabilities() {
        double[] frequencies = frequencies(SAMPLED);
        for (int i = 0; i < frequencies.length; i++) {
            assertThat(frequencies[i]).isCloseTo(PROBABILITIES[i], within(0.015));
        }
    }

    @Test
    void temperatureSharpensThem() {
        double total = Arrays.stream(PROBABILITIES).map(p -> p * p).sum();
        double[] frequencies = frequencies(SAMPLED.withTemperature(0.5));
        for (int i = 0; i < frequencies.length; i++) {
            assertThat(frequencies[i]).isCloseTo(PROBABILITIES[i] * PROBABILITIES[i] / total, within(0.015));
        }
    }

    @Test
    void topKKeepsTheLikeliest() {
        assertThat(kept(SAMPLED.withTopK(2))).containsExactly(1, 3);
        assertThat(kept(SAMPLED.withTopK(5))).hasSize(5);
        assertThat(kept(SAMPLED.withTopK(99))).hasSize(5);
        assertThat(frequencies(SAMPLED.withTopK(2))[1]).isCloseTo(2.0 / 3, within(0.015));
    }

    @Test
    void topPKeepsTheSmallestSetOfThatProbability() {
        assertThat(kept(SAMPLED.withTemperature(1).withTopP(0.4))).containsExactly(1);
        assertThat(kept(SAMPLED.withTemperature(1).withTopP(0.6))).containsExactly(1, 3);
        assertThat(kept(SAMPLED.withTemperature(1).withTopP(0.8))).containsExactly(0, 1, 3);
        assertThat(kept(SAMPLED.withTemperature(1).withTopP(1e-9))).containsExactly(1);
    }

    @Test
    void topPCountsAmongThoseThatTopKKeeps() {
        assertThat(kept(SAMPLED.withTemperature(1).withTopP(0.6).withTopK(2))).containsExactly(1);
        assertThat(kept(SAMPLED.withTemperature(1).withTopP(0.7).withTopK(2))).containsExactly(1, 3);
    }

    @Test
    void minPDropsWhatIsFarBelowTheLikeliest() {
        assertThat(kept(SAMPLED.withMinP(0.2))).containsExactly(0, 1, 3);
        assertThat(kept(SAMPLED.withMinP(1))).containsExactly(1);
    }

    @Test
    void repetitionPenaltyActsOnWhatOccurred() {
        Sampler sampler = new Sampler(GenerateOptions.DEFAULT.withRepetitionPenalty(2), Rng.of(1, "test"));
        sampler.markSeen(0);
        sampler.markSeen(2);
        float[] logits = {4, 3, -1, -1.5f};

        assertThat(sampler.next(logits)).isEqualTo(1);
        assertThat(logits).containsExactly(2, 3, -2, -1.5f);
    }

    @Test
    void logitsThatAreNoNumbersAreAFailure() {
        Sampler sampler = new Sampler(SAMPLED, Rng.of(1, "test"));
        assertThatThrownBy(() -> sampler.next(new float[] {Float.NaN, 1}))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("NaN");
    }

    @Test
    void optionsOutOfRangeAreRefusedByName() {
        GenerateOptions d = GenerateOptions.DEFAULT;
        for (var refused : List.<org.assertj.core.api.ThrowableAssert.ThrowingCallable>of(
                () -> d.withMaxNewTokens(0),
                () -> d.withTopK(-1),
                () -> d.withTemperature(1).withTopP(0),
                () -> d.withTemperature(1).withTopP(1.5),
                () -> d.withTemperature(-1),
                () -> d.withTemperature(Double.NaN),
                () -> d.withMinP(2),
                () -> d.withRepetitionPenalty(0),
                () -> d.withStop(""))) {
            assertThatThrownBy(refused).isInstanceOf(InputException.class).hasMessageContaining("expected");
        }
        assertThatThrownBy(() -> d.withTemperature(1).withTopP(1.5))
                .hasMessage("top_p is 1.5, expected a number of more than 0 and at most 1");
    }
}
