package dev.graft.eval.compare;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the survey of the field says of methods, to hold against what was measured. It means bases of billions of parameters; on a small one
 * every share is larger, since a bottleneck, a rank or a prompt doesn't shrink with the base.
 *
 * @param share the trained share in words
 * @param least of the share, in percent
 * @param most of the share, in percent
 * @param inference what a row costs; null where it says nothing
 * @param modular whether it is a module; null where it says nothing
 * @param memory of training; null where it says nothing
 * @param speed of training; null where it says nothing
 */
record Survey(
        String share,
        double least,
        double most,
        @Nullable String inference,
        @Nullable Boolean modular,
        @Nullable String memory,
        @Nullable String speed) {
    private static final Survey FULL = new Survey("100 %", 99, 100, null, null, null, null);
    private static final Survey ADAPTER = new Survey("1 to 5 %", 1, 5, null, true, null, null);
    private static final Survey LOW_RANK = new Survey("below 1 %", 0, 1, "low", false, null, null);
    private static final Survey PROMPT = new Survey("below 0.1 %", 0, 0.1, null, null, "very low", "very fast");
    private static final Survey BIASES = new Survey("below 0.1 %", 0, 0.1, null, false, null, null);

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

    /** What it says of a method; null where it says nothing. */
    static @Nullable Survey of(String method) {
        return METHODS.get(method);
    }

    /** Its word for the share, and whether a measured one agrees. */
    String share(double percent) {
        return said(share, percent >= least && percent <= most);
    }

    /** Its word for what a row costs, and whether a measured band agrees; what costs nothing costs little. */
    String inference(String band) {
        return inference == null ? "" : said(inference, band.equals(inference) || band.equals("none"));
    }

    String modular(boolean isModule) {
        return modular == null ? "" : said(modular ? "yes" : "no", modular == isModule);
    }

    String memory(String band) {
        return memory == null ? "" : said(memory, band.equals(memory));
    }

    String speed(String band) {
        return speed == null ? "" : said(speed, band.equals(speed));
    }

    private static String said(String word, boolean agrees) {
        return word + ": " + (agrees ? "agrees" : "disagrees");
    }
}
