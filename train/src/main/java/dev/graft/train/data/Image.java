package dev.graft.train.data;

import dev.graft.models.images.ImageProcessor;
import java.util.function.Supplier;

/**
 * Pixel values for a vision model, computed at each use, so that a large data set need not be in memory.
 *
 * @param source returns the normalised values, [channels, height, width]
 */
public record Image(int channels, int height, int width, Supplier<float[]> source) {

    /** Creates the output of a processor for a picture, whose size is known. */
    static Image of(PictureSource picture, ImageProcessor.Size size, ImageProcessor processor) {
        return new Image(3, size.height(), size.width(), () -> processor.values(picture.read()));
    }

    public float[] values() {
        return source.get();
    }
}
