package dev.graft.eval.compare;

import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The survey's statements about a method, for comparison with measurements. They are about bases of billions of parameters. On a small base
 * every share is larger, since a bottleneck, a rank or a prompt doesn't shrink with the base.
 *
 * @param share the trained share in words
 * @param least of the share, in percent
 * @param most of the share, in percent
 * @param inference the cost of a row; null if the survey doesn't say
 * @param modular true if it is a module; null if the survey doesn't say
 * @param memory the memory of training; null if the survey doesn't say
 * @param speed the speed of training; null if the survey doesn't say
 */
@RecordBuilder
record SurveyEntry(
        String share,
        double least,
        double most,
        @Nullable String inference,
        @Nullable Boolean modular,
        @Nullable String memory,
        @Nullable String speed)
        implements SurveyEntryBuilder.With {
    private static final SurveyEntry FULL = share("100 %", 99, 100).build();
    private static final SurveyEntry ADAPTER =
            share("1 to 5 %", 1, 5).modular(true).build();
    private static final SurveyEntry LOW_RANK =
            share("below 1 %", 0, 1).inference("low").modular(false).build();
    private static final SurveyEntry PROMPT =
            share("below 0.1 %", 0, 0.1).memory("very low").speed("very fast").build();
    private static final SurveyEntry BIASES =
            share("below 0.1 %", 0, 0.1).modular(false).build();

    private static final Map<String, SurveyEntry> METHODS = Map.ofEntries(
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

    private static SurveyEntryBuilder share(String words, double least, double most) {
        return SurveyEntryBuilder.builder().share(words).least(least).most(most);
    }

    /** Returns the survey's entry for a method; null where it has none. */
    static @Nullable SurveyEntry of(String method) {
        return METHODS.get(method);
    }

    /** Returns the survey's word for the share and whether a measured share agrees. */
    String share(double percent) {
        return agreement(share, percent >= least && percent <= most);
    }

    /** Returns the survey's word for the cost of a row and whether a measured band agrees. No cost counts as a low one. */
    String inference(String band) {
        return inference == null ? "" : agreement(inference, band.equals(inference) || band.equals("none"));
    }

    String modular(boolean isModule) {
        return modular == null ? "" : agreement(modular ? "yes" : "no", modular == isModule);
    }

    String memory(String band) {
        return memory == null ? "" : agreement(memory, band.equals(memory));
    }

    String speed(String band) {
        return speed == null ? "" : agreement(speed, band.equals(speed));
    }

    private static String agreement(String word, boolean agrees) {
        return word + ": " + (agrees ? "agrees" : "disagrees");
    }
}
