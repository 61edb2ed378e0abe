package dev.graft.eval.metrics.detection;

import java.util.List;

/** One image: the objects in it and those that were found. */
public record DetectionRow(List<Truth> truths, List<Detection> detections) {

    /**
     * An object.
     *
     * @param area of its shape in pixels, which may be smaller than its box
     * @param crowd whether the box stands for a group; what is found inside is neither right nor wrong
     */
    public record Truth(int category, Box box, double area, boolean crowd) {}

    /** An object that was found, the surer the higher its score. */
    public record Detection(int category, Box box, double score) {}

    public DetectionRow {
        truths = List.copyOf(truths);
        detections = List.copyOf(detections);
    }
}
