package dev.graft.models.forward;

import dev.graft.formats.InputException;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import io.soabase.recordbuilder.core.RecordBuilder;
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
 * @param decoder the inputs of the decoder if these are an encoder's; null for one-sided models
 * @param segments {@code [batch, seq]}, the number of each token's text, from 0 on, if a row contains several texts that don't see each other.
 *     {@code positions} then start anew with each text, and a prompt precedes them all. Null for one text per row
 * @param pixels images, {@code [images, channels, height, width]}, or spectrograms, {@code [sounds, 1, bands, frames]}, in fp32; or null for
 *     texts alone
 */
@RecordBuilder
public record Inputs(
        Tensor ids,
        Tensor mask,
        @Nullable Tensor typeIds,
        @Nullable Tensor positions,
        @Nullable Inputs decoder,
        @Nullable Tensor pixels,
        @Nullable Tensor segments)
        implements InputsBuilder.With {
    /** Creates a batch with one text per row. */
    public Inputs(
            Tensor ids,
            Tensor mask,
            @Nullable Tensor typeIds,
            @Nullable Tensor positions,
            @Nullable Inputs decoder,
            @Nullable Tensor pixels) {
        this(ids, mask, typeIds, positions, decoder, pixels, null);
    }

    /** Creates a batch for a one-sided model. */
    public Inputs(Tensor ids, Tensor mask, @Nullable Tensor typeIds, @Nullable Tensor positions) {
        this(ids, mask, typeIds, positions, null, null);
    }

    /** Creates a batch without padding. */
    public static Inputs of(long[][] ids) {
        Tensor tensor = Tensors.of(ids);
        return of(tensor, torchOnesLike(tensor));
    }

    /** Creates a batch with its mask. */
    public static Inputs of(Tensor ids, Tensor mask) {
        return new Inputs(ids, mask, null, null);
    }

    /** Returns the batch with positions counted from the mask, as generation does with padding on the left. */
    public Inputs withPositionsFromMask() {
        return withPositions(positionsFromMask(mask));
    }

    /**
     * Returns the text as the input of a decoder that reads it again: shifted by one position, behind the start token of an answer. Its padding
     * counts as text.
     */
    public Inputs shiftedRight(long start) {
        Tensor first = Tensors.of(new long[] {start}, 1, 1).expand(rows(), 1);
        Tensor later = Ops.cat(1, first, ids.narrow(1, 0, width() - 1));
        return of(later, torchOnesLike(later));
    }

    /** Creates a batch of images without texts: ids and mask are {@code [images, 0]}. */
    public static Inputs images(Tensor pixels) {
        Tensor none = Tensors.zeros(ScalarType.Long, pixels.size(0), 0);
        return of(none, none).withPixels(pixels);
    }

    /**
     * Returns the images, {@code [images, channels, height, width]}.
     *
     * @throws InputException if there are none, or of another size
     */
    public Tensor image(long channels, long height, long width) {
        Tensor images = images();
        long[] shape = Tensors.shape(images);
        if (shape.length != 4 || shape[1] != channels || shape[2] != height || shape[3] != width) {
            throw new InputException("images have the shape " + Arrays.toString(shape) + ", the model takes [images, "
                    + channels + ", " + height + ", " + width + "]");
        }
        return images;
    }

    /**
     * Returns the images, of any size of at least one patch.
     *
     * @throws InputException if there are none, or too small
     */
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

    /**
     * Returns the spectrograms, {@code [sounds, bands, frames]}.
     *
     * @throws InputException if there are none, or of another size
     */
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

    /** Returns one row, with its own answer. */
    public Inputs row(int row) {
        return new Inputs(
                ids.narrow(0, row, 1),
                mask.narrow(0, row, 1),
                typeIds == null ? null : typeIds.narrow(0, row, 1),
                positions == null ? null : positions.narrow(0, row, 1),
                decoder == null ? null : decoder.row(row),
                pixels == null ? null : pixels.narrow(0, row, 1));
    }

    /**
     * The decoder's inputs.
     *
     * @throws InputException if there are none
     */
    public Inputs decoderInputs() {
        if (decoder == null) {
            throw new InputException(
                    "an encoder-decoder needs the ids that its decoder has seen, at least the one that starts an"
                            + " answer");
        }
        return decoder;
    }

    /** Returns the number of visible tokens before each position, at least 0: {@code [batch, seq]}. */
    public static Tensor positionsFromMask(Tensor mask) {
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
