package dev.graft.train.data;

import dev.graft.formats.InputException;
import dev.graft.models.images.ImageProcessor;
import dev.graft.models.images.Picture;

/**
 * Pictures with masks, for a model that gives each point a class. A picture is brought to the model's size whole, and its mask with it.
 * Encoding decodes both once, so that damaged files are known before training.
 */
public final class MaskEncoder implements RowEncoder {
    private final ImageProcessor processor;
    private final int classes;

    /** @param classes how many there are; masks have numbers below it, and 255 where a point has none */
    public MaskEncoder(ImageProcessor processor, int classes) {
        this.processor = processor.whole();
        this.classes = classes;
    }

    @Override
    public Example encode(int index, Row row, String place, int maxLength) {
        if (!(row instanceof Row.Masked masked)) {
            throw RowEncoder.unfit(row, place, "semantic segmentation", RowShape.IMAGE_MASK);
        }
        Picture picture = ImageEncoder.read(masked.picture(), place, PictureSource::read);
        Picture mask = ImageEncoder.read(masked.mask(), place, MaskEncoder::mask);
        if (mask.width() != picture.width() || mask.height() != picture.height()) {
            throw new InputException(place + ": " + masked.mask().name() + " has " + mask.width() + " x "
                    + mask.height() + " points, but its picture has " + picture.width() + " x " + picture.height());
        }
        int labelled = 0;
        for (byte value : processor.fitMask(mask).values()) {
            int one = value & 0xFF;
            if (one >= classes && one != Target.Points.UNLABELLED) {
                throw new InputException(place + ": " + masked.mask().name() + " has a point of class " + one
                        + ", but there are " + classes + " classes, from 0; 255 is for points without one");
            }
            labelled += one == Target.Points.UNLABELLED ? 0 : 1;
        }
        return new Example(
                index,
                new int[0],
                null,
                new Target.Points(
                        labelled, () -> processor.fitMask(mask(masked.mask())).values()),
                null,
                Image.of(masked.picture(), processor.size(picture.width(), picture.height()), processor));
    }

    /** A mask as it is stored. */
    public static Picture mask(PictureSource source) {
        return Picture.mask(source.bytes(), source.name());
    }
}
