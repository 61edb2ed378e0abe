package dev.graft.eval.predict;

import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.peft.Selection;
import dev.graft.tensor.InferenceScope;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Example;
import dev.graft.train.data.Target;
import dev.graft.train.loss.LossFunction;
import dev.graft.train.loss.Prediction.SingleLabel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * Predicts the classes of texts with a classifier and its adapters. Safe for use by several threads.
 *
 * <pre>{@code
 * TextClassifier classifier = new TextClassifier(base, Selection.of(adapter));
 * Classification answer = classifier.classify("a tool with a heavy head");   // artifact, 0.93
 * }</pre>
 *
 * @param base a base with the head of a text classifier
 * @param selection the active adapters
 */
public record TextClassifier(Base base, Selection selection) {
    private static final int BATCH = 64;
    private static final int PAD = 0;
    private static final Target UNKNOWN = new Target.ClassId(0);

    /**
     * The class of a text.
     *
     * @param probability the probability of the label, in [0, 1]
     */
    public record Classification(String label, double probability) {}

    /** Returns the most probable class. A text longer than the base's maximum is cut. */
    public Classification classify(String text) {
        SingleLabel said = new SingleLabel(0, 0, logits(List.of(text))[0]);
        return new Classification(base.labels().get(said.predicted()), said.probabilities()[said.predicted()]);
    }

    /** Returns the logits of texts, {@code [text][class]}. Texts of similar length are batched. */
    public float[][] logits(List<String> texts) {
        EncodeOptions options =
                EncodeOptions.DEFAULT.withTruncation(base.backbone().maxPositions());
        List<Example> examples = new ArrayList<>();
        for (int i = 0; i < texts.size(); i++) {
            Encoding encoding = base.tokenizer().encode(texts.get(i), options);
            examples.add(new Example(i, encoding.ids(), encoding.typeIds(), UNKNOWN));
        }
        examples.sort(Comparator.comparingInt(Example::length));
        float[][] logits = new float[texts.size()][];
        for (int start = 0; start < examples.size(); start += BATCH) {
            Batch batch = Batch.of(examples.subList(start, Math.min(start + BATCH, examples.size())), PAD);
            try (InferenceScope mode = new InferenceScope();
                    Scope scope = new Scope()) {
                float[] values = Tensors.floats(
                        base.logits(LossFunction.inputs(batch), ForwardPass.inference(selection.hooks())));
                int classes = values.length / batch.rows();
                for (int row = 0; row < batch.rows(); row++) {
                    logits[batch.rowIndices()[row]] = Arrays.copyOfRange(values, row * classes, (row + 1) * classes);
                }
            }
        }
        return logits;
    }
}
