package dev.graft.train.data;

import dev.graft.formats.InputException;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.models.tokenizers.SpecialTokens;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.models.tokenizers.Truncation;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Encodes texts for masked language modelling (Devlin et al., 2019, section 3.1). A share of the tokens that aren't special is drawn anew
 * at each use of a row. Of these, 80 % become the mask token, 10 % a random token of the vocabulary, and 10 % stay. A long text is read in
 * windows.
 *
 * @param share the share of tokens to predict, above 0 and at most 1
 */
public record MaskedLmEncoder(Tokenizer tokenizer, double share, long seed) implements RowEncoder {
    private static final double MASKED = 0.8;
    private static final double RANDOM = 0.1;

    /** @throws InputException if the tokenizer has no mask token, or the share is out of range */
    public MaskedLmEncoder {
        tokenizer.specialTokens().require(SpecialTokens.TokenRole.MASK);
        if (!(share > 0 && share <= 1)) {
            throw new InputException("mask_share is " + share + ", expected above 0, at most 1");
        }
    }

    @Override
    public Example encode(int index, Row row, String place, int maxLength) {
        return windows(index, row, place, maxLength).get(0);
    }

    @Override
    public List<Example> windows(int index, Row row, String place, int maxLength) {
        if (!(row instanceof Row.Text text) || text.pair() != null || text.label() != null) {
            throw RowEncoder.unsupported(row, place, "learning masked tokens", RowShape.TEXT);
        }
        List<Example> windows = new ArrayList<>();
        for (Encoding window :
                tokenizer.windows(text.text(), EncodeOptions.DEFAULT.withTruncation(Truncation.to(maxLength)))) {
            int[] labels = window.ids().clone();
            for (int i = 0; i < labels.length; i++) {
                labels[i] = tokenizer.isSpecial(labels[i]) ? Target.NONE : labels[i];
            }
            windows.add(new Example(index, window.ids(), window.typeIds(), new Target.InPlace(labels)));
        }
        return windows;
    }

    @Override
    public Example redraw(Example example, long draw) {
        int mask =
                tokenizer.specialTokens().require(SpecialTokens.TokenRole.MASK).id();
        // Windows of a row differ in their tokens.
        SplitMix64 random = SplitMix64.of(seed ^ (long) example.row() << 32 ^ Arrays.hashCode(example.ids()), draw);
        int[] ids = example.ids().clone();
        int[] labels = ((Target.InPlace) example.target()).labels().clone();
        for (int i = 0; i < ids.length; i++) {
            if (labels[i] == Target.NONE) {
                continue;
            }
            double chance = random.share() / share;
            if (chance >= 1) {
                labels[i] = Target.NONE;
            } else if (chance < MASKED) {
                ids[i] = mask;
            } else if (chance < MASKED + RANDOM) {
                ids[i] = random.next(tokenizer.idLimit());
            }
        }
        return new Example(example.row(), ids, example.typeIds(), new Target.InPlace(labels));
    }
}
