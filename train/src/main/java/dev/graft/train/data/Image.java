package dev.graft.train.data;

import dev.graft.models.images.ImageProcessor;
import java.util.function.Supplier;

/**
 * An image as a model sees it, made each time it is asked for: the values of a large set need not be in memory.
 *
 * @param source gives the values, normalised, [channels, height, width]
 */
public record Image(int channels, int height, int width, Supplier<float[]> source) {

    /** What a processor makes of a picture, whose size is known. */
    static Image of(PictureSource picture, ImageProcessor.Size size, ImageProcessor processor) {
        return new Image(3, size.height(), size.width(), () -> processor.values(picture.read()));
    }

    public float[] values() {
        return source.get();
    }
}
