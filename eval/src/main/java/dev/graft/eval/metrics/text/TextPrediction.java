package dev.graft.eval.metrics.text;

import java.util.List;

/** A row of generated text and its references, at least one. */
public record TextPrediction(String prediction, List<String> references) {

    public TextPrediction {
        references = List.copyOf(references);
        if (references.isEmpty()) {
            throw new IllegalArgumentException("a prediction needs at least 1 reference to be compared with");
        }
    }

    public TextPrediction(String prediction, String reference) {
        this(prediction, List.of(reference));
    }
}
