package dev.graft.train.data;

import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.models.tokenizers.Tokenizer;
import java.util.Arrays;
import java.util.List;

/**
 * Encodes words with a class each for a token classifier. The words are joined by spaces and encoded as one text. For tokenizers whose
 * tokens include the preceding space, such as RoBERTa's, the text begins with a space. A word then has the same tokens at every place. The
 * first token of a word has the word's class; other tokens have no label.
 *
 * <pre>{@code
 * RowEncoder encoder = new TokenClassificationEncoder(base.tokenizer(), Labels.ofNames(List.of("B-PER", "I-PER", "O")));
 * }</pre>
 */
public final class TokenClassificationEncoder implements RowEncoder {
    private static final String SPACE = "\u0120"; // as byte-level vocabularies write it

    private final Tokenizer tokenizer;
    private final Labels labels;
    private final String before;

    public TokenClassificationEncoder(Tokenizer tokenizer, Labels labels) {
        this.tokenizer = tokenizer;
        this.labels = labels;
        this.before = beginsWithSpace(" a") && !beginsWithSpace("a") ? " " : "";
    }

    private boolean beginsWithSpace(String text) {
        List<String> tokens = tokenizer
                .encode(text, EncodeOptions.DEFAULT.withAddSpecialTokens(false))
                .tokens();
        return !tokens.isEmpty() && tokens.get(0).startsWith(SPACE);
    }

    @Override
    public Example encode(int index, Row row, String place, int maxLength) {
        if (!(row instanceof Row.Words words) || words.label() == null) {
            throw RowEncoder.unsupported(row, place, "tagging words", RowShape.WORDS);
        }
        Encoding encoding = encoding(words.words(), maxLength);
        int[] targets = new int[encoding.length()];
        Arrays.fill(targets, Target.NONE);
        List<String> tags = words.label().names();
        int[] tokens = firstTokens(words.words(), encoding);
        for (int word = 0; word < tokens.length; word++) {
            if (tokens[word] >= 0) {
                targets[tokens[word]] = labels.id(tags.get(word), place);
            }
        }
        return new Example(index, encoding.ids(), encoding.typeIds(), new Target.InPlace(targets));
    }

    /** Returns the index of the first token of each word, [words]; -1 for a word that is cut off or has no token. */
    public int[] firstTokens(List<String> words, int maxLength) {
        return firstTokens(words, encoding(words, maxLength));
    }

    private Encoding encoding(List<String> words, int maxLength) {
        EncodeOptions options = EncodeOptions.upTo(maxLength);
        return tokenizer.encode(before + String.join(" ", words), options);
    }

    private int[] firstTokens(List<String> words, Encoding encoding) {
        int[] tokens = new int[words.size()];
        int token = 0;
        int start = before.length();
        for (int word = 0; word < tokens.length; word++) {
            int end = start + words.get(word).codePointCount(0, words.get(word).length());
            while (token < encoding.length() && !isIn(encoding, token, start)) {
                token++;
            }
            boolean found = token < encoding.length() && encoding.starts()[token] < end;
            tokens[word] = found ? token++ : -1;
            start = end + 1;
        }
        return tokens;
    }

    /** Returns whether a token holds something of the word that begins there, or the space before it; special tokens hold nothing. */
    private static boolean isIn(Encoding encoding, int token, int start) {
        return encoding.sequenceIds()[token] == 0 && encoding.ends()[token] >= start;
    }
}
