package dev.graft.eval.tasks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.graft.eval.metrics.Ranking;
import dev.graft.train.loss.Prediction;
import dev.graft.train.loss.Prediction.EmbeddedText;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class RetrievalTest {
    private static EmbeddedText text(int id, float... vector) {
        return new EmbeddedText(IntBuffer.wrap(new int[] {id}), vector);
    }

    private static Map<String, Double> scores(List<Prediction> rows) {
        Ranking ranking = new Ranking(List.of(10));
        Retrieval.queries(rows).forEach(ranking::update);
        return ranking.values();
    }

    @Test
    void aTextOfSeveralRowsIsOneCandidateAndAnAnchorOfSeveralOneQuery() {
        List<Prediction> rows = List.of(
                new Prediction.Embedded(0, List.of(text(1, 1, 0), text(10, 1, 0)), Double.NaN),
                new Prediction.Embedded(1, List.of(text(1, 1, 0), text(11, 0, 1)), Double.NaN),
                new Prediction.Embedded(2, List.of(text(2, 0, 1), text(10, 1, 0), text(12, 0, 2)), Double.NaN));
        List<Ranking.Row> queries = Retrieval.queries(rows);
        assertThat(queries).hasSize(2);
        assertThat(queries.get(0).relevance()).containsExactly(1, 1, 0);
        assertThat(queries.get(0).scores()).containsExactly(1, 0, 0);
        assertThat(queries.get(1).relevance()).containsExactly(1, 0, 0);
        assertThat(queries.get(1).scores()).containsExactly(0, 1, 1);
        // Ranks: 1 and 2 of the first query, 3 of the second, whose two neighbours are nearer.
        assertThat(scores(rows).get("mrr@10")).isCloseTo((1 + 1.0 / 3) / 2, offset(1e-12));
        assertThat(scores(rows).get("recall@10")).isEqualTo(1);
    }

    /** Only candidates that can count are kept of a query; all of them would score the same. */
    @Test
    void whatIsLeftOutOfAQueryChangesNoScore() {
        SplittableRandom random = new SplittableRandom(5);
        List<Prediction> rows = new ArrayList<>();
        Map<Integer, float[]> texts = new LinkedHashMap<>();
        for (int i = 0; i < 300; i++) {
            float[] anchor = vector(random);
            float[] positive = vector(random);
            for (int j = 0; j < anchor.length; j++) {
                positive[j] += anchor[j];
            }
            texts.put(1000 + i, positive);
            rows.add(new Prediction.Embedded(i, List.of(text(i, anchor), text(1000 + i, positive)), Double.NaN));
        }
        Ranking whole = new Ranking(List.of(10));
        for (Prediction prediction : rows) {
            Prediction.Embedded row = (Prediction.Embedded) prediction;
            float[] anchor = row.texts().get(0).vector();
            double[] cosines = texts.values().stream()
                    .mapToDouble(text -> cosine(anchor, text))
                    .toArray();
            double[] grades = new double[cosines.length];
            grades[row.row()] = 1;
            whole.update(new Ranking.Row(cosines, grades));
        }
        Map<String, Double> expected = whole.values();
        assertThat(expected.get("ndcg@10")).isBetween(0.1, 0.95);
        scores(rows).forEach((name, value) -> assertThat(value).as(name).isCloseTo(expected.get(name), offset(1e-9)));
    }

    private static float[] vector(SplittableRandom random) {
        float[] vector = new float[8];
        for (int i = 0; i < vector.length; i++) {
            vector[i] = (float) random.nextDouble(-1, 1);
        }
        return vector;
    }

    private static double cosine(float[] a, float[] b) {
        double product = 0;
        double lengthA = 0;
        double lengthB = 0;
        for (int i = 0; i < a.length; i++) {
            product += a[i] * b[i];
            lengthA += a[i] * a[i];
            lengthB += b[i] * b[i];
        }
        return product / Math.sqrt(lengthA * lengthB);
    }
}
