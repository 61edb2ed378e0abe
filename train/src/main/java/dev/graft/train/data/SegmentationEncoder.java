package dev.graft.train.data;

import dev.graft.formats.InputException;
import dev.graft.models.images.ImageProcessor;
import dev.graft.models.images.Picture;

/**
 * Encodes pictures with masks for semantic segmentation. A picture is resized to the model's size without cropping, and its mask with it.
 * Encoding decodes both once, so that damaged files are found before training.
 */
public final class SegmentationEncoder implements RowEncoder {
    private final ImageProcessor processor;
    private final int classes;

    /** @param classes the number of classes; mask values are below it, or 255 for unlabelled pixels */
    public SegmentationEncoder(ImageProcessor processor, int classes) {
        this.processor = processor.whole();
        this.classes = classes;
    }

    @Override
    public Example encode(int index, Row row, String place, int maxLength) {
        if (!(row instanceof Row.Masked masked)) {
            throw RowEncoder.unsupported(row, place, "semantic segmentation", RowShape.IMAGE_MASK);
        }
        Picture picture = ImageClassificationEncoder.read(masked.picture(), place, PictureSource::read);
        Picture mask = ImageClassificationEncoder.read(masked.mask(), place, SegmentationEncoder::mask);
        if (mask.width() != picture.width() || mask.height() != picture.height()) {
            throw new InputException(place + ": " + masked.mask().name() + " has " + mask.width() + " x "
                    + mask.height() + " points, but its picture has " + picture.width() + " x " + picture.height());
        }
        int labelled = 0;
        for (byte value : processor.fitMask(mask).values()) {
            int one = value & 0xFF;
            if (one >= classes && one != Target.Pixels.UNLABELLED) {
                throw new InputException(place + ": " + masked.mask().name() + " has a point of class " + one
                        + ", but there are " + classes + " classes, from 0; 255 is for points without one");
            }
            labelled += one == Target.Pixels.UNLABELLED ? 0 : 1;
        }
        return new Example(
                index,
                new int[0],
                null,
                new Target.Pixels(
                        labelled, () -> processor.fitMask(mask(masked.mask())).values()),
                null,
                Image.of(masked.picture(), processor.size(picture.width(), picture.height()), processor));
    }

    /** Returns a mask as a picture of class numbers, as it is stored. */
    public static Picture mask(PictureSource source) {
        return Picture.mask(source.bytes(), source.name());
    }
}
