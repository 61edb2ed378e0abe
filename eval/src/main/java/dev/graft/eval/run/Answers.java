package dev.graft.eval.run;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.sites.Hooks;
import dev.graft.train.Predictor;
import dev.graft.train.data.ClassificationEncoder;
import dev.graft.train.data.Examples;
import dev.graft.train.data.ImageEncoder;
import dev.graft.train.data.Label;
import dev.graft.train.data.Labels;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.Rows;
import dev.graft.train.loss.Prediction;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What a classifier or a regression says about texts or images.
 *
 * <pre>{@code
 * Answers answers = new Answers(base, Label.Kind.ONE, 32);
 * answers.of("inbox", List.of(new Row.Text("a tool with a heavy head", null, null)), hooks).get(0).labels();   // [artifact]
 * }</pre>
 *
 * @param base with the head of a classifier
 * @param kind what its answers are
 */
public record Answers(Base base, Label.Kind kind, int batchSize) {

    /**
     * One answer.
     *
     * @param labels one, or any number of them; empty for a number
     * @param probabilities by label in the order of the outputs: they sum to 1 where one label is meant, and are independent where any
     *     number is; empty for a number
     * @param value the number of a regression, else null
     */
    public record Answer(
            List<String> labels,
            Map<String, Double> probabilities,
            @Nullable Double value) {}

    /** @throws InputException if the base has no head for this */
    public Answers {
        if (base.task() != Task.SEQ_CLS && base.task() != Task.IMAGE_CLS) {
            throw new InputException(
                    base.name() + " has a head for " + base.task() + ", expected one for SEQ_CLS or IMAGE_CLS");
        }
    }

    /** The answers to texts or images, in their order; a text that is longer than the base can read is cut. */
    public List<Answer> of(Rows rows, Hooks hooks) {
        return of(rows, hooks, base.backbone().maxPositions());
    }

    /**
     * The answers to texts or images, in their order.
     *
     * @param maxLength tokens of a text, the rest of which is cut; at most what the base can read
     */
    public List<Answer> of(Rows rows, Hooks hooks, int maxLength) {
        List<String> names = base.labels();
        Map<Integer, String> ids = new TreeMap<>();
        names.forEach(name -> ids.put(ids.size(), name));
        // The label that a row must have to be encoded says nothing about the answer.
        Label any = switch (kind) {
            case ONE -> new Label.One(names.get(0));
            case MANY -> new Label.Many(List.of());
            case EACH -> throw new InputException("the adapter was trained on words with tags, not on whole texts");
            case SCORE -> new Label.Score(0);
        };
        Labels labels = Labels.fromIds(ids);
        RowEncoder encoder = base.task() == Task.IMAGE_CLS
                ? new ImageEncoder(base.imageProcessor(), labels)
                : new ClassificationEncoder(
                        base.tokenizer(), labels, base.backbone().vocabSize());
        RowEncoder labelled = (index, row, place, most) -> encoder.encode(index, row.with(any), place, most);
        Examples examples = Examples.encode(rows, labelled, maxLength, Overflow.TRUNCATE);
        Answer[] answers = new Answer[rows.size()];
        new Predictor(base, examples, batchSize)
                .predict(hooks, prediction -> answers[prediction.row()] = answer(prediction, names));
        return List.of(answers);
    }

    private static Answer answer(Prediction prediction, List<String> names) {
        Map<String, Double> probabilities = new LinkedHashMap<>();
        if (prediction instanceof Prediction.OneClass one) {
            double[] values = one.probabilities();
            for (int i = 0; i < values.length; i++) {
                probabilities.put(names.get(i), values[i]);
            }
            return new Answer(List.of(names.get(one.predicted())), probabilities, null);
        }
        if (prediction instanceof Prediction.ManyClasses many) {
            List<String> chosen = new ArrayList<>();
            for (int i = 0; i < many.logits().length; i++) {
                probabilities.put(names.get(i), 1 / (1 + Math.exp(-many.logits()[i])));
                if (many.predicted()[i]) {
                    chosen.add(names.get(i));
                }
            }
            return new Answer(chosen, probabilities, null);
        }
        return new Answer(List.of(), Map.of(), (double) ((Prediction.Value) prediction).predicted());
    }
}
