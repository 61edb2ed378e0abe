package dev.graft.train.data;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.models.images.ImageProcessor;
import dev.graft.models.images.Picture;
import java.util.function.Function;

/**
 * Encodes pictures with a label for an image classifier. Encoding decodes a picture once, so that a damaged file is found before training;
 * each batch decodes it again.
 */
public final class ImageClassificationEncoder implements RowEncoder {
    private final ImageProcessor processor;
    private final Labels labels;

    /** @param labels the classes, none for regression */
    public ImageClassificationEncoder(ImageProcessor processor, Labels labels) {
        this.processor = processor;
        this.labels = labels;
    }

    @Override
    public Example encode(int index, Row row, String place, int maxLength) {
        Label label = row.label();
        if (row instanceof Row.Image image && label != null) {
            ImageProcessor.Size size = size(processor, image.picture(), place);
            return new Example(
                    index,
                    new int[0],
                    null,
                    labels.target(label, place),
                    null,
                    Image.of(image.picture(), size, processor));
        }
        throw RowEncoder.unsupported(row, place, "image classification", RowShape.LABELLED_IMAGE);
    }

    /** Decodes a picture and returns its size after processing. */
    static ImageProcessor.Size size(ImageProcessor processor, PictureSource source, String place) {
        Picture picture = read(source, place, PictureSource::read);
        return processor.size(picture.width(), picture.height());
    }

    /** Reads a picture; the error about a damaged one names its row. */
    static Picture read(PictureSource source, String place, Function<PictureSource, Picture> read) {
        try {
            return read.apply(source);
        } catch (InputException damaged) {
            throw place.equals(source.name())
                    ? damaged
                    : new FormatException(place, String.valueOf(damaged.getMessage()), damaged);
        }
    }
}
