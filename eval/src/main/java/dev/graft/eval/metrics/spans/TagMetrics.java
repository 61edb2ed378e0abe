package dev.graft.eval.metrics.spans;

import dev.graft.eval.metrics.MetricSet;
import java.util.Collection;
import java.util.List;

/** The metrics of tagged tokens. */
public final class TagMetrics {
    private TagMetrics() {}

    /** Returns the share of right tags and, where the names mark spans, precision, recall and F1 of the spans. */
    public static MetricSet<TagPrediction> of(Collection<String> names) {
        TagScheme scheme = TagScheme.of(names);
        return new MetricSet<>(
                scheme == null ? List.of(new TagAccuracy()) : List.of(new SpanF1(scheme), new TagAccuracy()));
    }
}
