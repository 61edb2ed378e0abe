package dev.graft.eval.metrics.spans;

import dev.graft.eval.metrics.Average;
import dev.graft.eval.metrics.ClassScores;
import dev.graft.eval.metrics.Metric;
import dev.graft.eval.metrics.NoRowsException;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Precision, recall and F1 of spans, equal to seqeval: a predicted span is right if a true one has the same type, start and end. The value
 * is the micro F1 that CoNLL reports; {@link #values} also has the share of right tags.
 */
public final class SpanF1 implements Metric<TagPrediction> {

    private final TagScheme scheme;
    private final Map<String, long[]> counts = new TreeMap<>();
    private long right;
    private long tags;
    private long rows;

    public SpanF1(TagScheme scheme) {
        this.scheme = scheme;
    }

    @Override
    public String name() {
        return "f1";
    }

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    @Override
    public void update(TagPrediction row) {
        Set<Span> labels = new HashSet<>(scheme.spans(row.labels()));
        Set<Span> predictions = new HashSet<>(scheme.spans(row.predictions()));
        labels.forEach(span -> of(span)[2]++);
        for (Span span : predictions) {
            of(span)[0] += labels.contains(span) ? 1 : 0;
            of(span)[1]++;
        }
        for (int i = 0; i < row.labels().size(); i++) {
            right += row.labels().get(i).equals(row.predictions().get(i)) ? 1 : 0;
        }
        tags += row.labels().size();
        rows++;
    }

    /** True positives, predicted and true spans of a type. */
    private long[] of(Span span) {
        return counts.computeIfAbsent(span.type(), type -> new long[3]);
    }

    /** Returns the scores of all types together; NaN for a macro average without any span. */
    public ClassScores scores(Average average) {
        if (rows == 0) {
            throw new NoRowsException(name());
        }
        if (average == Average.MACRO && counts.isEmpty()) {
            return new ClassScores(Double.NaN, Double.NaN, Double.NaN);
        }
        return ClassScores.average(average, column(0), column(1), column(2));
    }

    private long[] column(int which) {
        return counts.values().stream().mapToLong(count -> count[which]).toArray();
    }

    /** Returns the share of right tags, including those outside of spans, in [0, 1]. */
    public double accuracy() {
        if (tags == 0) {
            throw new NoRowsException("accuracy");
        }
        return (double) right / tags;
    }

    @Override
    public double value() {
        return scores(Average.MICRO).f1();
    }

    @Override
    public Map<String, Double> values() {
        ClassScores micro = scores(Average.MICRO);
        Map<String, Double> values = new LinkedHashMap<>();
        values.put("precision", micro.precision());
        values.put("recall", micro.recall());
        values.put("f1", micro.f1());
        values.put("tag_accuracy", accuracy());
        return values;
    }
}
