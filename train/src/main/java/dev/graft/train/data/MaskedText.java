package dev.graft.train.data;

import dev.graft.models.tokenizers.Tokenizer;
import java.util.Arrays;

/** An example as text with a visible loss mask: {@code ⟦ ⟧} enclose the labelled tokens, special tokens included. */
public final class MaskedText {

    private MaskedText() {}

    /** Decodes an example; only the labelled tokens are marked. The answer of an encoder-decoder is on a line of its own. */
    public static String of(Example example, Tokenizer tokenizer) {
        int[] labels = example.target().tokenLabels();
        if (labels == null) {
            return tokenizer.decode(example.ids(), false);
        }
        int[] answer = example.decoderIds();
        return answer == null
                ? masked(example.ids(), labels, tokenizer)
                : tokenizer.decode(example.ids(), false) + "\n" + masked(answer, labels, tokenizer);
    }

    private static String masked(int[] ids, int[] labels, Tokenizer tokenizer) {
        StringBuilder text = new StringBuilder();
        int start = 0;
        for (int i = 1; i <= ids.length; i++) {
            boolean labelled = isLabelled(labels, start);
            if (i == ids.length || isLabelled(labels, i) != labelled) {
                String run = tokenizer.decode(Arrays.copyOfRange(ids, start, i), false);
                text.append(labelled ? "⟦" + run + "⟧" : run);
                start = i;
            }
        }
        return text.toString();
    }

    private static boolean isLabelled(int[] labels, int position) {
        return position > 0 && labels[position] != Target.NONE;
    }
}
