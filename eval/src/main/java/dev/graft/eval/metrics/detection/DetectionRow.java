package dev.graft.eval.metrics.detection;

import java.util.List;

/**
 * One image: the objects in it and those that were found.
 *
 * @param <S> boxes or masks
 */
public record DetectionRow<S extends Shape<S>>(List<Truth<S>> truths, List<Detection<S>> detections) {

    /**
     * An object.
     *
     * @param area by which its size is judged: that of its mask, also where the shape is its box
     * @param crowd whether the shape stands for a group; what is found inside is neither right nor wrong
     */
    public record Truth<S extends Shape<S>>(int category, S shape, double area, boolean crowd) {}

    /** An object that was found, the surer the higher its score. */
    public record Detection<S extends Shape<S>>(int category, S shape, double score) {}

    public DetectionRow {
        truths = List.copyOf(truths);
        detections = List.copyOf(detections);
    }
}
