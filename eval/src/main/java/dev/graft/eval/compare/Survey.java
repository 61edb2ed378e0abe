package dev.graft.eval.compare;

import java.util.Locale;
import java.util.Map;

/**
 * What the survey of the field says of the trained share of methods, to hold against what was measured. It means bases of billions of
 * parameters; on a small one every share is larger, since a bottleneck, a rank or a prompt doesn't shrink with the base.
 */
enum Survey {
    FULL("100 %", 99, 100),
    ADAPTER("1 to 5 %", 1, 5),
    LOW_RANK("below 1 %", 0, 1),
    PROMPT("below 0.1 %", 0, 0.1),
    BIASES("below 0.1 %", 0, 0.1);

    private static final Map<String, Survey> METHODS = Map.ofEntries(
            Map.entry("full-fine-tuning", FULL),
            Map.entry("houlsby", ADAPTER),
            Map.entry("pfeiffer", ADAPTER),
            Map.entry("parallel", ADAPTER),
            Map.entry("compacter", ADAPTER),
            Map.entry("lora", LOW_RANK),
            Map.entry("dora", LOW_RANK),
            Map.entry("adalora", LOW_RANK),
            Map.entry("prompt-tuning", PROMPT),
            Map.entry("p-tuning", PROMPT),
            Map.entry("bitfit", BIASES));

    private final String words;
    private final double least;
    private final double most;

    Survey(String words, double least, double most) {
        this.words = words;
        this.least = least;
        this.most = most;
    }

    /** What it says of a method, and whether a measured share agrees; empty where it says nothing. */
    static String of(String method, double percent) {
        Survey said = METHODS.get(method);
        return said == null
                ? ""
                : String.format(
                        Locale.ROOT,
                        "%s: %s",
                        said.words,
                        percent >= said.least && percent <= said.most ? "agrees" : "disagrees");
    }
}
