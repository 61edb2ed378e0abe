package dev.graft.train.data;

import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.models.tokenizers.Tokenizer;
import java.util.Arrays;
import java.util.List;

/**
 * Words with a class each, for a token classifier. The words are joined by spaces and encoded as a text, which begins with a space where
 * tokens hold the space before a word, as RoBERTa's do: a word has the same tokens wherever it stands. The first token of a word has the
 * word's class, and only first tokens are learnt.
 *
 * <pre>{@code
 * RowEncoder encoder = new TagEncoder(base.tokenizer(), Labels.ofNames(List.of("B-PER", "I-PER", "O")));
 * }</pre>
 */
public final class TagEncoder implements RowEncoder {
    private static final String SPACE = "\u0120"; // as byte-level vocabularies write it

    private final Tokenizer tokenizer;
    private final Labels labels;
    private final String before;

    public TagEncoder(Tokenizer tokenizer, Labels labels) {
        this.tokenizer = tokenizer;
        this.labels = labels;
        this.before = beginsWithSpace(" a") && !beginsWithSpace("a") ? " " : "";
    }

    private boolean beginsWithSpace(String text) {
        List<String> tokens = tokenizer
                .encode(text, EncodeOptions.DEFAULT.withoutSpecialTokens())
                .tokens();
        return !tokens.isEmpty() && tokens.get(0).startsWith(SPACE);
    }

    @Override
    public Example encode(int index, Row row, String place, int maxLength) {
        if (!(row instanceof Row.Words words) || words.label() == null) {
            throw RowEncoder.unfit(row, place, "tagging words", RowShape.WORDS);
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

    /** The token that stands for each word; -1 for a word that is cut off, or that the tokenizer makes nothing of. */
    public int[] firstTokens(List<String> words, int maxLength) {
        return firstTokens(words, encoding(words, maxLength));
    }

    private Encoding encoding(List<String> words, int maxLength) {
        EncodeOptions options =
                maxLength == Integer.MAX_VALUE ? EncodeOptions.DEFAULT : EncodeOptions.DEFAULT.truncate(maxLength);
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

    /** Whether a token holds something of the word that begins there, or the space before it; special tokens hold nothing. */
    private static boolean isIn(Encoding encoding, int token, int start) {
        return encoding.sequenceIds()[token] == 0 && encoding.ends()[token] >= start;
    }
}
