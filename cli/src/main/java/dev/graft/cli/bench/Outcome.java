package dev.graft.cli.bench;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/** The rounds of a scenario: who trained, and what it took each time. */
record Outcome(Scenario scenario, Map<Side, List<Round>> rounds) {
    /** Both start from the same weights; what differs after the warm-up is the adapters' start, dropout and rounding. */
    private static final double LOSS_TOLERANCE = 0.02;

    /** Who trains. */
    enum Side {
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
     * One run, and one of a single step.
     *
     * @param printed the last line of the run
     * @param firstStepSeconds the life of a process that trains one step
     */
    record Round(JsonNode printed, double firstStepSeconds) {}

    /** What is compared. */
    enum Figure {
        TOKENS("tokens/s", "tokens_per_s", 1),
        MEMORY("peak memory, MiB", "peak_rss_mb", 0),
        FIRST_STEP("first step, s", "first_step_s", 2);

        private final String title;
        private final String field;
        private final int digits;

        Figure(String title, String field, int digits) {
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
                    : round.printed.get(field).doubleValue();
        }
    }

    static Outcome of(Scenario scenario) {
        Map<Side, List<Round>> rounds = new EnumMap<>(Side.class);
        for (Side side : Side.values()) {
            rounds.put(side, new ArrayList<>());
        }
        return new Outcome(scenario, rounds);
    }

    List<Round> of(Side side) {
        return rounds.getOrDefault(side, List.of());
    }

    Spread of(Side side, Figure figure) {
        return Spread.of(of(side).stream().map(figure::of).toList());
    }

    /** Graft's figure by the peer's of the same round. */
    Spread ratio(Side peer, Figure figure) {
        List<Double> ratios = new ArrayList<>();
        for (int i = 0; i < of(peer).size(); i++) {
            ratios.add(figure.of(of(Side.GRAFT).get(i)) / figure.of(of(peer).get(i)));
        }
        return Spread.of(ratios);
    }

    /** The loss of the first or the last step that counts. */
    double loss(Side side, String field) {
        return Spread.of(of(side).stream()
                        .map(round -> round.printed.get(field).doubleValue())
                        .toList())
                .median();
    }

    /** Whether Graft and the tuned peer, who train on the same batches, started alike: else they did not do the same work. */
    boolean lossesAgree() {
        double peer = loss(Side.TUNED, "loss_first");
        return Math.abs(loss(Side.GRAFT, "loss_first") - peer) <= LOSS_TOLERANCE * peer;
    }
}
