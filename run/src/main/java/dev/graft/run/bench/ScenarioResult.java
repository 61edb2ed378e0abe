package dev.graft.run.bench;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/** The measurements of a scenario, by side and round. */
public record ScenarioResult(Scenario scenario, Map<Side, List<Round>> rounds) {
    /** Both start from the same weights; what differs after the warm-up is the adapters' start, dropout and rounding. */
    private static final double LOSS_TOLERANCE = 0.02;

    /** The sides of the comparison. */
    public enum Side {
        GRAFT("Graft"),
        TUNED("PEFT tuned"),
        DEFAULT("PEFT default");

        private final String title;

        Side(String title) {
            this.title = title;
        }

        String title() {
            return title;
        }
    }

    /**
     * A round: a run of all steps and a run of a single step.
     *
     * @param result the JSON of the run of all steps
     * @param firstStepSeconds the duration of the process that trains one step
     */
    public record Round(JsonNode result, double firstStepSeconds) {}

    /** The measures that are compared. */
    public enum Measure {
        TOKENS("tokens/s", "tokens_per_s", 1),
        MEMORY("peak memory, MiB", "peak_rss_mb", 0),
        FIRST_STEP("first step, s", "first_step_s", 2);

        private final String title;
        private final String field;
        private final int digits;

        Measure(String title, String field, int digits) {
            this.title = title;
            this.field = field;
            this.digits = digits;
        }

        String title() {
            return title;
        }

        String field() {
            return field;
        }

        int digits() {
            return digits;
        }

        double of(Round round) {
            return this == FIRST_STEP
                    ? round.firstStepSeconds
                    : round.result.get(field).doubleValue();
        }
    }

    public static ScenarioResult of(Scenario scenario) {
        Map<Side, List<Round>> rounds = new EnumMap<>(Side.class);
        for (Side side : Side.values()) {
            rounds.put(side, new ArrayList<>());
        }
        return new ScenarioResult(scenario, rounds);
    }

    public List<Round> of(Side side) {
        return rounds.getOrDefault(side, List.of());
    }

    Spread of(Side side, Measure figure) {
        return Spread.of(of(side).stream().map(figure::of).toList());
    }

    /** Returns the ratio of Graft's figure to the other side's in the same round. */
    public Spread ratio(Side peer, Measure figure) {
        List<Double> ratios = new ArrayList<>();
        for (int i = 0; i < of(peer).size(); i++) {
            ratios.add(figure.of(of(Side.GRAFT).get(i)) / figure.of(of(peer).get(i)));
        }
        return Spread.of(ratios);
    }

    /** The loss of the first or the last step that counts. */
    double loss(Side side, String field) {
        return Spread.of(of(side).stream()
                        .map(round -> round.result.get(field).doubleValue())
                        .toList())
                .median();
    }

    /**
     * Returns whether Graft and the tuned PEFT, which train on the same batches, have equal first losses. Otherwise they did not do the
     * same work.
     */
    public boolean lossesAgree() {
        double peer = loss(Side.TUNED, "loss_first");
        return Math.abs(loss(Side.GRAFT, "loss_first") - peer) <= LOSS_TOLERANCE * peer;
    }
}
