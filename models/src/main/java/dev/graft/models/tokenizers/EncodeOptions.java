package dev.graft.models.tokenizers;

import org.jspecify.annotations.Nullable;

/**
 * How texts become token ids.
 *
 * <pre>{@code
 * var options = EncodeOptions.DEFAULT.truncate(Truncation.to(128).at(Side.LEFT)).pad(Padding.LONGEST.roundedTo(8));
 * }</pre>
 *
 * @param addSpecialTokens whether the tokenizer's template puts its special tokens around the text, such as {@code [CLS]} or {@code <s>}.
 *     Special tokens written in the text itself are always recognised.
 * @param truncation null means that nothing is cut
 * @param padding null means that a batch may have encodings of different lengths
 */
public record EncodeOptions(
        boolean addSpecialTokens,
        @Nullable Truncation truncation,
        @Nullable Padding padding) {

    /** Special tokens added, nothing cut, nothing padded. */
    public static final EncodeOptions DEFAULT = new EncodeOptions(true, null, null);

    public EncodeOptions withoutSpecialTokens() {
        return new EncodeOptions(false, truncation, padding);
    }

    public EncodeOptions truncate(int maxLength) {
        return truncate(Truncation.to(maxLength));
    }

    public EncodeOptions truncate(Truncation truncation) {
        return new EncodeOptions(addSpecialTokens, truncation, padding);
    }

    public EncodeOptions pad(Padding padding) {
        return new EncodeOptions(addSpecialTokens, truncation, padding);
    }
}
