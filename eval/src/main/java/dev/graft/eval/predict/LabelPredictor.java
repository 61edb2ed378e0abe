package dev.graft.eval.predict;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.sites.Hooks;
import dev.graft.train.Predictor;
import dev.graft.train.data.ClassificationEncoder;
import dev.graft.train.data.Examples;
import dev.graft.train.data.ImageClassificationEncoder;
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
 * Predicts labels or values of texts or images with a classifier or a regression.
 *
 * <pre>{@code
 * Rows rows = Rows.of("inbox", List.of(new Row.Text("a tool with a heavy head", null, null)));
 * new LabelPredictor(base, Label.Kind.ONE, 32).predict(rows, hooks).get(0).labels();   // [artifact]
 * }</pre>
 *
 * @param base a base with the head of a text or image classifier
 * @param kind the kind of its labels
 * @param batchSize the number of rows in a forward pass
 */
public record LabelPredictor(Base base, Label.Kind kind, int batchSize) {

    /**
     * The prediction for a row.
     *
     * @param labels one label, or any number of them; empty for a regression
     * @param probabilities the probabilities by label in the order of the outputs: they sum to 1 for single-label classification and are
     *     independent for multi-label; empty for a regression
     * @param value the value of a regression, else null
     */
    public record LabelPrediction(
            List<String> labels,
            Map<String, Double> probabilities,
            @Nullable Double value) {}

    /** @throws InputException if the base has no head for this */
    public LabelPredictor {
        if (base.task() != Task.SEQ_CLS && base.task() != Task.IMAGE_CLS) {
            throw new InputException(
                    base.name() + " has a head for " + base.task() + ", expected one for SEQ_CLS or IMAGE_CLS");
        }
    }

    /** Predicts labels for texts or images, in their order; a text longer than the base's maximum is cut. */
    public List<LabelPrediction> predict(Rows rows, Hooks hooks) {
        return predict(rows, hooks, base.backbone().maxPositions());
    }

    /**
     * Predicts labels for texts or images, in their order.
     *
     * @param hooks the hooks of the adapters
     * @param maxLength the number of tokens to cut a text to; at most the base's maximum
     * @throws InputException if a row is neither a text nor an image that the base reads
     */
    public List<LabelPrediction> predict(Rows rows, Hooks hooks, int maxLength) {
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
                ? new ImageClassificationEncoder(base.imageProcessor(), labels)
                : new ClassificationEncoder(
                        base.tokenizer(), labels, base.backbone().vocabSize());
        RowEncoder labelled = (index, row, place, most) -> encoder.encode(index, row.with(any), place, most);
        Examples examples = Examples.encode(rows, labelled, maxLength, Overflow.TRUNCATE);
        LabelPrediction[] answers = new LabelPrediction[rows.size()];
        new Predictor(base, examples, batchSize)
                .predict(hooks, prediction -> answers[prediction.row()] = answer(prediction, names));
        return List.of(answers);
    }

    private static LabelPrediction answer(Prediction prediction, List<String> names) {
        Map<String, Double> probabilities = new LinkedHashMap<>();
        if (prediction instanceof Prediction.SingleLabel one) {
            double[] values = one.probabilities();
            for (int i = 0; i < values.length; i++) {
                probabilities.put(names.get(i), values[i]);
            }
            return new LabelPrediction(List.of(names.get(one.predicted())), probabilities, null);
        }
        if (prediction instanceof Prediction.MultiLabel many) {
            List<String> chosen = new ArrayList<>();
            for (int i = 0; i < many.logits().length; i++) {
                probabilities.put(names.get(i), 1 / (1 + Math.exp(-many.logits()[i])));
                if (many.predicted()[i]) {
                    chosen.add(names.get(i));
                }
            }
            return new LabelPrediction(chosen, probabilities, null);
        }
        return new LabelPrediction(List.of(), Map.of(), (double) ((Prediction.Value) prediction).predicted());
    }
}
