package dev.graft.eval.claims;

import java.util.List;

/** The comparisons that the claims rest on. */
final class Studies {
    private static final String[] TRANSFERRED = {"houlsby", "lora", "prompt-tuning"};

    static final Study KINDS = new Study("kinds", "wordnet", 60, "houlsby", "lora", "prompt-tuning", "bitfit");
    static final Study SYNTAX = new Study("syntax", "acceptability", 80, "lora", "prompt-tuning");
    static final Study TAGS = new Study("tags", "error-spans", 80, "lora", "bitfit");
    static final Study VISION = new Study("vision", "fashion-mnist", 60, "lora", "bitfit");
    static final Study FILMS = new Study("films", "polarity-films", 60, TRANSFERRED);
    static final Study TWEETS = shifted("films-to-tweets", "polarity-tweets");
    static final Study PRODUCTS = shifted("films-to-products", "polarity-products");
    static final Study SHOTS_1 = shots(1);
    static final Study SHOTS_4 = shots(4);
    static final Study SHOTS_16 = shots(16);
    static final Study SHOTS_64 = shots(64);
    static final Study INFERENCE = new Study("inference", "glue/mnli", 120, "lora", "prompt-tuning", "bitfit");

    private Studies() {}

    private static Study shifted(String name, String to) {
        return new Study(name, "polarity-films", to, 0, 60, List.of(TRANSFERRED));
    }

    private static Study shots(int shots) {
        return new Study("shots-" + shots, "polarity-films", null, shots, 40, List.of("lora", "prompt-tuning"));
    }
}
