package dev.graft.models.tokenizers;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/** The tokens of one text, before special tokens: parallel arrays, cut and joined like strings. */
record TokenizedText(int[] ids, List<String> texts, int[] starts, int[] ends, int[] words) {

    int length() {
        return ids.length;
    }

    TokenizedText slice(int from, int to) {
        return new TokenizedText(
                Arrays.copyOfRange(ids, from, to),
                texts.subList(from, to),
                Arrays.copyOfRange(starts, from, to),
                Arrays.copyOfRange(ends, from, to),
                Arrays.copyOfRange(words, from, to));
    }

    /** Fills an encoding of known length from the left. */
    static final class Joiner {
        private final int[] ids;
        private final int[] mask;
        private final int[] types;
        private final int[] special;
        private final List<String> texts;
        private final int[] starts;
        private final int[] ends;
        private final int[] words;
        private final int[] sequences;
        private int at;

        Joiner(int length) {
            ids = new int[length];
            mask = new int[length];
            types = new int[length];
            special = new int[length];
            texts = new ArrayList<>(length);
            starts = new int[length];
            ends = new int[length];
            words = new int[length];
            sequences = new int[length];
            Arrays.fill(mask, 1);
        }

        void add(TokenizedText part, int type, int sequence) {
            int n = part.length();
            System.arraycopy(part.ids, 0, ids, at, n);
            System.arraycopy(part.starts, 0, starts, at, n);
            System.arraycopy(part.ends, 0, ends, at, n);
            System.arraycopy(part.words, 0, words, at, n);
            Arrays.fill(types, at, at + n, type);
            Arrays.fill(sequences, at, at + n, sequence);
            texts.addAll(part.texts);
            at += n;
        }

        void addSpecial(SpecialTokens.SpecialToken token, int type) {
            ids[at] = token.id();
            types[at] = type;
            special[at] = 1;
            words[at] = -1;
            sequences[at] = -1;
            texts.add(token.content());
            at++;
        }

        Encoding finish() {
            return new Encoding(ids, mask, types, special, texts, starts, ends, words, sequences);
        }
    }

    /** Pads an encoding to {@code length}; longer ones are returned unchanged. */
    static Encoding pad(Encoding e, int length, Side side, SpecialTokens.SpecialToken pad, int padType) {
        int n = length - e.length();
        if (n <= 0) {
            return e;
        }
        List<String> filler = Collections.nCopies(n, pad.content());
        List<String> texts = new ArrayList<>(side == Side.LEFT ? filler : e.tokens());
        texts.addAll(side == Side.LEFT ? e.tokens() : filler);
        return new Encoding(
                pad(e.ids(), n, side, pad.id()),
                pad(e.attentionMask(), n, side, 0),
                pad(e.typeIds(), n, side, padType),
                pad(e.specialTokensMask(), n, side, 1),
                texts,
                pad(e.starts(), n, side, 0),
                pad(e.ends(), n, side, 0),
                pad(e.wordIds(), n, side, -1),
                pad(e.sequenceIds(), n, side, -1));
    }

    private static int[] pad(int[] values, int n, Side side, int value) {
        int[] out = new int[values.length + n];
        Arrays.fill(out, value);
        System.arraycopy(values, 0, out, side == Side.LEFT ? n : 0, values.length);
        return out;
    }
}
