package dev.graft.train.data;

/**
 * An image as a model sees it.
 *
 * @param values normalised, [channels, height, width]
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by contract: examples are shared, not copied
public record Image(int channels, int height, int width, float[] values) {}
