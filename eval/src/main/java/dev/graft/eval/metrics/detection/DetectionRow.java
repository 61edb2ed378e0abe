package dev.graft.eval.metrics.detection;

import java.util.List;

/**
 * An image: the objects in it and the objects detected.
 *
 * @param <S> boxes or masks
 */
public record DetectionRow<S extends Region<S>>(List<Truth<S>> truths, List<Detection<S>> detections) {

    /**
     * A labelled object.
     *
     * @param area the area that decides its size class: that of its mask, also if the region is its box
     * @param crowd true if the shape covers a group; detections inside it are neither right nor wrong
     */
    public record Truth<S extends Region<S>>(int category, S region, double area, boolean crowd) {}

    /** A detected object with its confidence. */
    public record Detection<S extends Region<S>>(int category, S region, double score) {}

    public DetectionRow {
        truths = List.copyOf(truths);
        detections = List.copyOf(detections);
    }
}
