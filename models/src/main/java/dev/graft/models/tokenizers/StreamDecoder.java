package dev.graft.models.tokenizers;

import java.util.Arrays;

/**
 * Text from token ids one at a time, for generation. A piece of text is given out when its last character is whole: a character whose
 * UTF-8 bytes are spread over tokens comes with the last of them. The pieces joined are {@link Tokenizer#decode} of all ids, except where
 * byte-fallback tokens are not UTF-8: decode then replaces the whole run of bytes, also characters that were already given out.
 *
 * <pre>{@code
 * var decoder = new StreamDecoder(tokenizer, true);
 * for (int id : generated) out.print(decoder.add(id));
 * out.print(decoder.finish());
 * }</pre>
 *
 * <p>For one thread.
 */
public final class StreamDecoder {

    private static final char REPLACEMENT = '\uFFFD';
    /** Every character that a pattern of {@code clean_up_tokenization_spaces} has: after another one nothing before it changes. */
    private static final String CLEANED = " .?!,'ntmsver";

    private final Tokenizer tokenizer;
    private final boolean skipSpecialTokens;
    /** The tokens of the last piece given out, since a token's text depends on the one before it, and those that came after. */
    private int[] ids = new int[0];
    /** How many of {@link #ids}, and of which text, were given out. */
    private int givenIds;

    private String givenText = "";

    public StreamDecoder(Tokenizer tokenizer, boolean skipSpecialTokens) {
        this.tokenizer = tokenizer;
        this.skipSpecialTokens = skipSpecialTokens;
    }

    /** The text that this id completes; empty while a character is incomplete. */
    public String add(int id) {
        ids = Arrays.copyOf(ids, ids.length + 1);
        ids[ids.length - 1] = id;
        String text = tokenizer.decode(ids, skipSpecialTokens);
        if (tokenizer.cleansUpSpaces()) {
            return giveCleaned(text);
        }
        return !text.isEmpty() && text.charAt(text.length() - 1) == REPLACEMENT ? "" : give(text);
    }

    /** What is left at the end: incomplete bytes as replacement characters. The decoder can then be used for another text. */
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
