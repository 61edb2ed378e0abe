package dev.graft.serve.json;

import dev.graft.models.tokenizers.Tokenizer;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The bytes that each token adds to a text; a token may be a part of a character. Vocabularies encode bytes like GPT-2 (a character for
 * each byte) or like SentencePiece (▁ for a space, {@code <0x0A>} for a byte).
 */
public final class TokenBytes {
    private static final Pattern BYTE = Pattern.compile("<0x([0-9A-F]{2})>");
    private static final Map<Character, Integer> ALPHABET = alphabet();

    private final Tokenizer tokenizer;
    private final boolean byteLevel;

    /** Creates the table of a tokenizer. */
    public TokenBytes(Tokenizer tokenizer) {
        this.tokenizer = tokenizer;
        this.byteLevel = isByteLevel(tokenizer);
    }

    /** Returns the bytes of a token; null if there is no such token or it isn't text. */
    public byte @Nullable [] of(int id) {
        String token = tokenizer.token(id);
        if (token == null || isSpecial(id)) {
            return null;
        }
        return byteLevel ? bytes(token) : plain(token);
    }

    /** Returns the bytes of each token, by id. */
    byte[] @Nullable [] all() {
        byte[][] all = new byte[tokenizer.idLimit()][];
        for (int id = 0; id < all.length; id++) {
            all[id] = of(id);
        }
        return all;
    }

    /** Special tokens leave no text. */
    private boolean isSpecial(int id) {
        int[] alone = {id};
        return tokenizer.decode(alone, true).isEmpty()
                && !tokenizer.decode(alone, false).isEmpty();
    }

    /** GPT-2's character for each byte: itself where it is printable, else one from U+0100 on. */
    private static Map<Character, Integer> alphabet() {
        Map<Character, Integer> bytes = new HashMap<>();
        int next = 0x100;
        for (int b = 0; b < 256; b++) {
            boolean itself = b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae;
            bytes.put((char) (itself ? b : next++), b);
        }
        return bytes;
    }

    /** Returns whether a vocabulary writes bytes as GPT-2 does, where a space is Ġ. */
    private static boolean isByteLevel(Tokenizer tokenizer) {
        return List.of("\u0120", "\u010a").stream()
                .map(tokenizer::tokenId)
                .allMatch(id -> id.isPresent()
                        && tokenizer.decode(new int[] {id.getAsInt()}, false).isBlank());
    }

    private static byte[] bytes(String token) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (int i = 0; i < token.length(); i++) {
            Integer b = ALPHABET.get(token.charAt(i));
            if (b == null) {
                // An added token is written as it is.
                return token.getBytes(StandardCharsets.UTF_8);
            }
            out.write(b);
        }
        return out.toByteArray();
    }

    private static byte[] plain(String token) {
        Matcher one = BYTE.matcher(token);
        return one.matches()
                ? new byte[] {(byte) Integer.parseInt(one.group(1), 16)}
                : token.replace('\u2581', ' ').getBytes(StandardCharsets.UTF_8);
    }
}
