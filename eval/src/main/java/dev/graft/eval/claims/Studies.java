package dev.graft.eval.claims;

import java.util.List;

/** The comparisons that the claims rest on. */
final class Studies {
    private static final String[] TRANSFERRED = {"houlsby", "lora", "prompt-tuning"};

    static final Study KINDS = new Study("kinds", "wordnet", 60, "houlsby", "lora", "prompt-tuning", "bitfit");
    static final Study SYNTAX = new Study("syntax", "acceptability", 80, "lora", "prompt-tuning");
    static final Study TAGS = new Study("tags", "error-spans", 80, "lora", "bitfit");
    static final Study VISION = new Study("vision", "fashion-mnist", 60, "lora", "bitfit");
    static final Study FILMS = transfer("films", "films");
    static final Study TWEETS = transfer("films", "tweets");
    static final Study PRODUCTS = transfer("films", "products");
    static final Study NEWS = transfer("films", "news");
    static final Study SHOTS_1 = shots(1);
    static final Study SHOTS_4 = shots(4);
    static final Study SHOTS_16 = shots(16);
    static final Study SHOTS_64 = shots(64);
    static final Study INFERENCE = new Study("inference", "glue/mnli", 120, "lora", "prompt-tuning", "bitfit");

    /** Its contenders are those of {@link LayerSweep}. */
    static final Study LAYERS = new Study("layers", "wordnet", 60);

    /** The four domains of one task. */
    static final List<String> DOMAINS = List.of("films", "tweets", "products", "news");

    private Studies() {}

    /** Trained on one domain, scored on another, or on its own. */
    static Study transfer(String from, String to) {
        return from.equals(to)
                ? new Study(from, "polarity-" + from, 60, TRANSFERRED)
                : new Study(from + "-to-" + to, "polarity-" + from, "polarity-" + to, 0, 60, List.of(TRANSFERRED));
    }

    static Study shots(int shots) {
        return new Study("shots-" + shots, "polarity-films", null, shots, 40, List.of("lora", "prompt-tuning"));
    }
}
