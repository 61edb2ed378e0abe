package dev.graft.eval.metrics.detection;

/**
 * Where an object is in an image.
 *
 * @param <S> the kind of shape that it is compared with
 */
public interface Shape<S extends Shape<S>> {

    /** In pixels. */
    double area();

    /** The area that both cover. */
    double intersection(S other);
}
