package dev.graft.eval.metrics.detection;

/**
 * The place of an object in an image.
 *
 * @param <S> the kind of shape that it is compared with
 */
public interface Region<S extends Region<S>> {

    /** Returns the area in pixels. */
    double area();

    /** Returns the area of the intersection in pixels. */
    double intersection(S other);
}
