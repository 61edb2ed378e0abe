package dev.graft.eval.metrics.spans;

import java.util.List;

/** A sequence of tags such as {@code B-PER}, {@code I-PER}, {@code O}: the true ones and the predicted ones. */
public record TagPrediction(List<String> labels, List<String> predictions) {

    public TagPrediction {
        labels = List.copyOf(labels);
        predictions = List.copyOf(predictions);
        if (labels.size() != predictions.size()) {
            throw new IllegalArgumentException(
                    "a sequence has " + labels.size() + " tags but " + predictions.size() + " predictions");
        }
    }
}
