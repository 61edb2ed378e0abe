package dev.graft.models.tokenizers;

import java.util.List;

/**
 * One encoded text or pair of texts. All arrays have {@link #length()} entries and must not be written to.
 *
 * @param ids token ids
 * @param attentionMask 1 for a token, 0 for padding
 * @param typeIds the segment according to the tokenizer's template: 0, or 1 for most second texts; 0 for padding
 * @param specialTokensMask 1 for special tokens that the template added and for padding, else 0
 * @param tokens the vocabulary's entries
 * @param starts the start of each token in its text, in code points; 0 for tokens that are not in the text
 * @param ends the end of each token, exclusive
 * @param wordIds the word of each token, as the pre-tokenizer splits its text; -1 for tokens that are not in the text
 * @param sequenceIds 0 for tokens of the first text, 1 for the second, -1 for tokens in neither
 */
@SuppressWarnings(
        "ArrayRecordComponent") // read-only by contract: copies would double the cost of tokenising a data set
public record Encoding(
        int[] ids,
        int[] attentionMask,
        int[] typeIds,
        int[] specialTokensMask,
        List<String> tokens,
        int[] starts,
        int[] ends,
        int[] wordIds,
        int[] sequenceIds) {

    public Encoding {
        tokens = List.copyOf(tokens);
    }

    public int length() {
        return ids.length;
    }
}
