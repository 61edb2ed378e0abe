package dev.graft.models.tokenizers;

import java.util.Arrays;

/**
 * Decodes token ids one at a time, for generation. Text is returned once its last character is complete. A character
 * whose UTF-8 bytes are spread over tokens is returned with the last of them. The returned texts joined are
 * {@link Tokenizer#decode} of all ids, except where byte-fallback tokens are not UTF-8. There, decode replaces the
 * whole run of bytes, including characters that were already returned.
 *
 * <pre>{@code
 * var decoder = new StreamDecoder(tokenizer, true);
 * for (int id : generated) out.print(decoder.add(id));
 * out.print(decoder.finish());
 * }</pre>
 *
 * <p>Not thread-safe.
 */
public final class StreamDecoder {

    private static final char REPLACEMENT = '\uFFFD';
    /**
     * Every character in the patterns of {@code clean_up_tokenization_spaces}. After any other character the text
     * before it is final.
     */
    private static final String CLEANED = " .?!,'ntmsver";

    private final Tokenizer tokenizer;
    private final boolean skipSpecialTokens;
    /** The tokens of the last returned text, since a token's text depends on the one before it, and all later tokens. */
    private int[] ids = new int[0];
    /** The number of {@link #ids} whose text, {@link #givenText}, was returned. */
    private int givenIds;

    private String givenText = "";

    public StreamDecoder(Tokenizer tokenizer, boolean skipSpecialTokens) {
        this.tokenizer = tokenizer;
        this.skipSpecialTokens = skipSpecialTokens;
    }

    /** Returns the text that this id completes; empty while a character is incomplete. */
    public String add(int id) {
        ids = Arrays.copyOf(ids, ids.length + 1);
        ids[ids.length - 1] = id;
        String text = tokenizer.decode(ids, skipSpecialTokens);
        if (tokenizer.cleansUpSpaces()) {
            return giveCleaned(text);
        }
        return !text.isEmpty() && text.charAt(text.length() - 1) == REPLACEMENT ? "" : give(text);
    }

    /**
     * Returns the remaining text, with replacement characters for incomplete bytes. The decoder can then be used for
     * another text.
     */
    public String finish() {
        String text = tokenizer.decode(ids, skipSpecialTokens);
        String rest = tokenizer.cleansUpSpaces() ? text.substring(givenText.length()) : give(text);
        ids = new int[0];
        givenIds = 0;
        givenText = "";
        return rest;
    }

    private String give(String text) {
        String piece = text.startsWith(givenText)
                ? text.substring(givenText.length())
                : tokenizer.decode(Arrays.copyOfRange(ids, givenIds, ids.length), skipSpecialTokens);
        if (piece.isEmpty()) {
            return "";
        }
        ids = Arrays.copyOfRange(ids, givenIds, ids.length);
        givenIds = ids.length;
        givenText = tokenizer.decode(ids, skipSpecialTokens);
        return piece;
    }

    private String giveCleaned(String text) {
        int stable = text.length();
        while (stable > givenText.length()
                && (text.charAt(stable - 1) == REPLACEMENT || CLEANED.indexOf(text.charAt(stable - 1)) >= 0)) {
            stable--;
        }
        String piece = text.substring(givenText.length(), stable);
        givenText = text.substring(0, stable);
        return piece;
    }
}
