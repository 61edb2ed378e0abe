package dev.graft.train.data;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.heads.Head;
import dev.graft.models.images.ImageProcessor;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.SpecialTokens;
import dev.graft.models.tokenizers.Tokenizer;
import java.util.Arrays;

/**
 * Encodes pictures with their texts for a dual encoder such as CLIP. Texts for SigLIP, whose pairs are scored independently, are padded to
 * full length.
 */
public final class ImageTextEncoder implements RowEncoder {
    private final Tokenizer tokenizer;
    private final ImageProcessor processor;
    private final int fullLength;
    private final int padId;

    public ImageTextEncoder(Base base) {
        tokenizer = base.tokenizer();
        processor = base.imageProcessor();
        boolean padded = base.head() instanceof Head.Contrastive head && head.bias() != null;
        fullLength = padded ? base.backbone().maxPositions() : 0;
        padId = padded
                ? tokenizer
                        .specialTokens()
                        .get(SpecialTokens.TokenRole.PAD)
                        .orElseThrow(() -> new InputException(
                                base.name() + " pads texts to full length, but its tokenizer names no pad_token"))
                        .id()
                : 0;
    }

    /** Returns the token ids of a text as the model's text encoder expects them. */
    public int[] ids(String text, int maxLength) {
        int most = fullLength == 0 ? maxLength : Math.min(maxLength, fullLength);
        EncodeOptions options = EncodeOptions.upTo(most);
        int[] ids = tokenizer.encode(text, options).ids();
        int length = ids.length;
        if (length >= fullLength) {
            return ids;
        }
        int[] padded = Arrays.copyOf(ids, fullLength);
        Arrays.fill(padded, length, fullLength, padId);
        return padded;
    }

    @Override
    public Example encode(int index, Row row, String place, int maxLength) {
        if (row instanceof Row.Captioned pair) {
            ImageProcessor.Size size = ImageClassificationEncoder.size(processor, pair.picture(), place);
            return new Example(
                    index,
                    ids(pair.text(), maxLength),
                    null,
                    new Target.Match(),
                    null,
                    Image.of(pair.picture(), size, processor));
        }
        throw RowEncoder.unsupported(row, place, "a dual encoder", RowShape.IMAGE_TEXT);
    }
}
