package dev.graft.models;

import dev.graft.formats.InputException;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A batch of token ids. All tensors are int64.
 *
 * @param ids {@code [batch, seq]}
 * @param mask {@code [batch, seq]}, 1 for tokens and 0 for padding
 * @param typeIds segment ids {@code [batch, seq]}, or null for zeros
 * @param positions {@code [batch, seq]}, or null for 0, 1, 2, …
 * @param decoder the side of the answer where these ids are an encoder's; null for models of one side
 * @param segments {@code [batch, seq]}, the number of the text that each token belongs to where several stand in a row and none sees another,
 *     from 0 on, with {@code positions} that begin anew with each; a prompt stands before them all. Null for one text a row
 * @param pixels images, {@code [images, channels, height, width]}, or spectrograms, {@code [sounds, 1, bands, frames]}, in fp32; or null
 *     for texts alone
 */
public record Inputs(
        Tensor ids,
        Tensor mask,
        @Nullable Tensor typeIds,
        @Nullable Tensor positions,
        @Nullable Inputs decoder,
        @Nullable Tensor pixels,
        @Nullable Tensor segments) {
    /** A batch of texts that stand alone in their rows. */
    public Inputs(
            Tensor ids,
            Tensor mask,
            @Nullable Tensor typeIds,
            @Nullable Tensor positions,
            @Nullable Inputs decoder,
            @Nullable Tensor pixels) {
        this(ids, mask, typeIds, positions, decoder, pixels, null);
    }

    /** A batch for a model of one side. */
    public Inputs(Tensor ids, Tensor mask, @Nullable Tensor typeIds, @Nullable Tensor positions) {
        this(ids, mask, typeIds, positions, null, null);
    }

    /** A batch without padding. */
    public static Inputs of(long[][] ids) {
        Tensor tensor = Tensors.of(ids);
        return of(tensor, torchOnesLike(tensor));
    }

    /** A batch with its mask. */
    public static Inputs of(Tensor ids, Tensor mask) {
        return new Inputs(ids, mask, null, null);
    }

    /** The same batch with positions counted from the mask, as generation does with padding on the left. */
    public Inputs withPositionsFromMask() {
        return new Inputs(ids, mask, typeIds, positionsFromMask(mask), decoder, pixels);
    }

    /** The same batch for an encoder-decoder, whose decoder has seen these ids of the answer. */
    public Inputs answeredBy(@Nullable Inputs newDecoder) {
        return new Inputs(ids, mask, typeIds, positions, newDecoder, pixels);
    }

    /**
     * The text itself for a decoder that reads it once more: one position later, behind the token that starts an answer. Its padding counts as
     * text.
     */
    public Inputs shifted(long start) {
        Tensor first = Tensors.of(new long[] {start}, 1, 1).expand(rows(), 1);
        Tensor later = Ops.cat(1, first, ids.narrow(1, 0, width() - 1));
        return of(later, torchOnesLike(later));
    }

    /** Images without texts: ids and mask are {@code [images, 0]}. */
    public static Inputs images(Tensor pixels) {
        Tensor none = Tensors.zeros(ScalarType.Long, pixels.size(0), 0);
        return of(none, none).with(pixels);
    }

    /** The same texts with images. */
    public Inputs with(Tensor newPixels) {
        return new Inputs(ids, mask, typeIds, positions, decoder, newPixels);
    }

    /** The images, which must have this size. */
    public Tensor image(long channels, long height, long width) {
        Tensor images = images();
        long[] shape = Tensors.shape(images);
        if (shape.length != 4 || shape[1] != channels || shape[2] != height || shape[3] != width) {
            throw new InputException("images have the shape " + Arrays.toString(shape) + ", the model takes [images, "
                    + channels + ", " + height + ", " + width + "]");
        }
        return images;
    }

    /** The images, of any size from one patch on. */
    public Tensor image(long channels, long patch) {
        Tensor images = images();
        long[] shape = Tensors.shape(images);
        if (shape.length != 4 || shape[1] != channels || shape[2] < patch || shape[3] < patch) {
            throw new InputException("images have the shape " + Arrays.toString(shape) + ", the model takes [images, "
                    + channels + ", height, width] of at least " + patch + " points each way");
        }
        return images;
    }

    private Tensor images() {
        if (pixels == null) {
            throw new InputException("a model of images needs pixels, there are only token ids");
        }
        return pixels;
    }

    /** The spectrograms, {@code [sounds, bands, frames]}, which must have this size. */
    public Tensor spectrogram(long bands, long frames) {
        if (pixels == null) {
            throw new InputException("a model of sounds needs recordings, there are only token ids");
        }
        long[] shape = Tensors.shape(pixels);
        if (shape.length != 4 || shape[1] != 1 || shape[2] != bands || shape[3] != frames) {
            throw new InputException("spectrograms have the shape " + Arrays.toString(shape)
                    + ", the model takes [sounds, 1, " + bands + ", " + frames + "]");
        }
        return pixels.squeeze(1);
    }

    /** One row of it, with its own answer. */
    public Inputs row(int row) {
        return new Inputs(
                ids.narrow(0, row, 1),
                mask.narrow(0, row, 1),
                typeIds == null ? null : typeIds.narrow(0, row, 1),
                positions == null ? null : positions.narrow(0, row, 1),
                decoder == null ? null : decoder.row(row),
                pixels == null ? null : pixels.narrow(0, row, 1));
    }

    /** The decoder's side. */
    public Inputs target() {
        if (decoder == null) {
            throw new InputException(
                    "an encoder-decoder needs the ids that its decoder has seen, at least the one that starts an answer");
        }
        return decoder;
    }

    /** How many tokens before each position count, at least 0: {@code [batch, seq]}. */
    static Tensor positionsFromMask(Tensor mask) {
        return mask.cumsum(1).sub(new org.bytedeco.pytorch.Scalar(1L)).clamp_min(new org.bytedeco.pytorch.Scalar(0L));
    }

    public long rows() {
        return ids.size(0);
    }

    public long width() {
        return ids.size(1);
    }

    private static Tensor torchOnesLike(Tensor tensor) {
        return Tensors.ones(ScalarType.Long, Tensors.shape(tensor));
    }
}
