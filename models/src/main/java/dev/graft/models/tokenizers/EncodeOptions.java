package dev.graft.models.tokenizers;

import io.soabase.recordbuilder.core.RecordBuilder;
import org.jspecify.annotations.Nullable;

/**
 * The options for encoding texts as token ids.
 *
 * <pre>{@code
 * var options = EncodeOptions.DEFAULT.withTruncation(Truncation.to(128).withSide(Side.LEFT)).withPadding(Padding.LONGEST.roundedTo(8));
 * }</pre>
 *
 * @param addSpecialTokens whether the tokenizer's template adds its special tokens around the text, such as
 *     {@code [CLS]} or {@code <s>}. Special tokens written in the text itself are always recognised.
 * @param truncation null for no truncation
 * @param padding null for no padding: a batch may have encodings of different lengths
 */
@RecordBuilder
public record EncodeOptions(
        boolean addSpecialTokens,
        @Nullable Truncation truncation,
        @Nullable Padding padding) implements EncodeOptionsBuilder.With {

    /** Special tokens added, nothing cut, nothing padded. */
    public static final EncodeOptions DEFAULT = new EncodeOptions(true, null, null);

    /** Returns {@link #DEFAULT} with texts cut to a length; {@link Integer#MAX_VALUE} cuts none. */
    public static EncodeOptions upTo(int maxLength) {
        return maxLength == Integer.MAX_VALUE ? DEFAULT : DEFAULT.withTruncation(maxLength);
    }

    /** Returns a copy with texts cut to a length. */
    public EncodeOptions withTruncation(int maxLength) {
        return withTruncation(Truncation.to(maxLength));
    }
}
