package dev.graft.models.tokenizers;

/** {@code clean_up_tokenization_spaces}: the spaces that simple English detokenisation puts before punctuation and contractions. */
final class SpaceCleaning {

    private SpaceCleaning() {}

    static String clean(String text) {
        return text.replace(" .", ".")
                .replace(" ?", "?")
                .replace(" !", "!")
                .replace(" ,", ",")
                .replace(" ' ", "'")
                .replace(" n't", "n't")
                .replace(" 'm", "'m")
                .replace(" 's", "'s")
                .replace(" 've", "'ve")
                .replace(" 're", "'re");
    }
}
