package dev.graft.train.data;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.models.images.ImageProcessor;
import dev.graft.models.images.Picture;
import java.util.function.Function;

/**
 * Pictures with a label, for a classifier. Encoding decodes a picture once, so that a damaged file is known before training; what the
 * model sees is made of it again when a batch is.
 */
public final class ImageEncoder implements RowEncoder {
    private final ImageProcessor processor;
    private final Labels labels;

    /** @param labels the classes, none for regression */
    public ImageEncoder(ImageProcessor processor, Labels labels) {
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
        throw RowEncoder.unfit(row, place, "image classification", RowShape.LABELLED_IMAGE);
    }

    /** The size that a picture comes to; it is decoded. */
    static ImageProcessor.Size size(ImageProcessor processor, PictureSource source, String place) {
        Picture picture = read(source, place, PictureSource::read);
        return processor.size(picture.width(), picture.height());
    }

    /** A picture; if it is damaged, the row that names it is told. */
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
