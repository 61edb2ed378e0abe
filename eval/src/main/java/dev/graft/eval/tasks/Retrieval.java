package dev.graft.eval.tasks;

import dev.graft.eval.metrics.Ranking;
import dev.graft.eval.metrics.ValuePrediction;
import dev.graft.models.heads.SentencePooling;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.loss.Prediction;
import dev.graft.train.loss.Prediction.EmbeddedText;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import org.bytedeco.pytorch.Tensor;

/** Retrieval by embeddings: every anchor is a query for its positives among all positives and negatives of the rows. */
final class Retrieval {
    private static final int TOP = 10;

    /** Anchors whose cosines with all texts are computed at once. */
    private static final int CHUNK = 256;

    private final Map<IntBuffer, Integer> numbers = new LinkedHashMap<>();
    private final List<float[]> texts = new ArrayList<>();

    private Retrieval() {}

    /** Returns the cosine of two texts and the similarity label of their row. */
    static ValuePrediction similarity(Prediction prediction) {
        Prediction.Embedded row = (Prediction.Embedded) prediction;
        double cosine = cosine(row.texts().get(0).vector(), row.texts().get(1).vector());
        return new ValuePrediction(row.score(), cosine);
    }

    private static double cosine(float[] a, float[] b) {
        double product = 0;
        double lengthA = 0;
        double lengthB = 0;
        for (int i = 0; i < a.length; i++) {
            product += (double) a[i] * b[i];
            lengthA += (double) a[i] * a[i];
            lengthB += (double) b[i] * b[i];
        }
        return product / Math.sqrt(lengthA * lengthB);
    }

    /**
     * Returns a query for each different anchor: it has the top-ranked and the relevant candidates, since no score depends on others.
     */
    static List<Ranking.Row> queries(List<Prediction> predictions) {
        Retrieval all = new Retrieval();
        Map<IntBuffer, BitSet> relevant = new LinkedHashMap<>();
        List<float[]> anchors = new ArrayList<>();
        predictions.stream()
                .sorted(Comparator.comparingInt(Prediction::row))
                .map(Prediction.Embedded.class::cast)
                .forEach(row -> {
                    EmbeddedText anchor = row.texts().get(0);
                    BitSet own = relevant.get(anchor.ids());
                    if (own == null) {
                        own = new BitSet();
                        relevant.put(anchor.ids(), own);
                        anchors.add(anchor.vector());
                    }
                    own.set(all.number(row.texts().get(1)));
                    row.texts().subList(2, row.texts().size()).forEach(all::number);
                });
        return all.rank(anchors, List.copyOf(relevant.values()));
    }

    private int number(EmbeddedText text) {
        Integer known = numbers.putIfAbsent(text.ids(), texts.size());
        if (known == null) {
            texts.add(text.vector());
            return texts.size() - 1;
        }
        return known;
    }

    private List<Ranking.Row> rank(List<float[]> anchors, List<BitSet> relevant) {
        List<Ranking.Row> rows = new ArrayList<>();
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor candidates = SentencePooling.unit(tensor(texts)).t();
            for (int from = 0; from < anchors.size(); from += CHUNK) {
                int to = Math.min(anchors.size(), from + CHUNK);
                try (Scope chunk = new Scope()) {
                    float[] cosines = Tensors.floats(SentencePooling.unit(tensor(anchors.subList(from, to)))
                            .matmul(candidates));
                    for (int i = from; i < to; i++) {
                        rows.add(query(cosines, (i - from) * texts.size(), relevant.get(i)));
                    }
                }
            }
        }
        return rows;
    }

    private Ranking.Row query(float[] cosines, int offset, BitSet relevant) {
        Comparator<Integer> worstFirst = Comparator.<Integer>comparingDouble(i -> cosines[offset + i])
                .thenComparing(Comparator.<Integer>naturalOrder().reversed());
        PriorityQueue<Integer> best = new PriorityQueue<>(TOP + 1, worstFirst);
        for (int i = 0; i < texts.size(); i++) {
            best.add(i);
            if (best.size() > TOP) {
                best.remove();
            }
        }
        BitSet kept = (BitSet) relevant.clone();
        best.forEach(kept::set);
        int[] candidates = kept.stream().toArray();
        double[] scores = new double[candidates.length];
        double[] grades = new double[candidates.length];
        for (int i = 0; i < candidates.length; i++) {
            scores[i] = cosines[offset + candidates[i]];
            grades[i] = relevant.get(candidates[i]) ? 1 : 0;
        }
        return new Ranking.Row(scores, grades);
    }

    private static Tensor tensor(List<float[]> vectors) {
        int size = vectors.get(0).length;
        float[] values = new float[vectors.size() * size];
        for (int i = 0; i < vectors.size(); i++) {
            System.arraycopy(vectors.get(i), 0, values, i * size, size);
        }
        return Tensors.of(values, vectors.size(), size);
    }
}
