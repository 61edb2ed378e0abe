package dev.graft.eval.claims;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The comparisons that the claims rest on. */
final class Studies {
    private static final List<String> TRANSFERRED = List.of("houlsby", "lora", "prompt-tuning");

    /** The four domains of one task. */
    static final List<String> DOMAINS = List.of("films", "tweets", "products", "news");

    static final Study KINDS = new Study("kinds", "wordnet", 60, "houlsby", "lora", "prompt-tuning", "bitfit");
    static final Study SYNTAX = new Study("syntax", "acceptability", 80, "lora", "prompt-tuning");
    static final Study TAGS = Study.ofTwin("tags", "conll2003", 80, "lora", "bitfit");
    static final Study VISION = new Study("vision", "fashion-mnist", 60, "lora", "bitfit");
    static final Study FILMS = domain("films");
    static final Study SHOTS_1 = shots(1);
    static final Study SHOTS_4 = shots(4);
    static final Study SHOTS_16 = shots(16);
    static final Study SHOTS_64 = shots(64);
    static final Study INFERENCE = Study.ofTwin("inference", "glue/mnli", 120, "lora", "prompt-tuning", "bitfit");

    /** The study whose methods are those of {@link LayerSweep}. */
    static final Study LAYERS = new Study("layers", "wordnet", 60);

    private Studies() {}

    /** Trained on one domain, scored on it and on the others. */
    static Study domain(String from) {
        Map<String, String> others = new LinkedHashMap<>();
        for (String to : DOMAINS) {
            if (!to.equals(from)) {
                others.put(to(from, to), data(to));
            }
        }
        return new Study(from, data(from), false, others, 0, 60, TRANSFERRED);
    }

    /** The name of what comes of training on one domain and scoring on another, or on its own. */
    static String to(String from, String to) {
        return from.equals(to) ? from : from + "-to-" + to;
    }

    private static String data(String domain) {
        return "polarity-" + domain;
    }

    static Study shots(int shots) {
        return new Study("shots-" + shots, data("films"), false, Map.of(), shots, 40, List.of("lora", "prompt-tuning"));
    }
}
