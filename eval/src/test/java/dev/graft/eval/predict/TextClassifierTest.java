package dev.graft.eval.predict;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.eval.predict.TextClassifier.Classification;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.peft.Selection;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class TextClassifierTest {
    private final Base base = Base.load(
            Path.of("../parity/fixtures/bases/bert-base"),
            Base.Options.of(Task.SEQ_CLS).withLabels(List.of("one", "two", "three")));
    private final TextClassifier classifier = new TextClassifier(base, Selection.BASE);

    @Test
    void aTextInABatchOfOthersGetsWhatItGetsAlone() {
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < 150; i++) {
            texts.add("word ".repeat(1 + i * 7 % 20) + i);
        }
        float[][] logits = classifier.logits(texts);

        assertThat(logits).hasNumberOfRows(150);
        for (int i : new int[] {0, 1, 77, 149}) {
            assertThat(logits[i]).containsExactly(classifier.logits(List.of(texts.get(i)))[0], within(1e-5f));
        }
        assertThat(logits[0]).isNotEqualTo(logits[1]);
    }

    @Test
    void namesTheLargestLogitWithItsSoftmax() {
        float[] logits = classifier.logits(List.of("a text"))[0];
        double sum = 0;
        int largest = 0;
        for (int i = 0; i < 3; i++) {
            sum += Math.exp(logits[i]);
            largest = logits[i] > logits[largest] ? i : largest;
        }
        Classification answer = classifier.classify("a text");

        assertThat(answer.label()).isEqualTo(base.labels().get(largest));
        assertThat(answer.probability()).isEqualTo(Math.exp(logits[largest]) / sum, within(1e-9));
    }

    @Test
    void cutsATextThatIsTooLong() {
        float[] cut = classifier.logits(List.of("a b c ".repeat(200)))[0];

        assertThat(cut).hasSize(3).doesNotContain(Float.NaN);
    }
}
