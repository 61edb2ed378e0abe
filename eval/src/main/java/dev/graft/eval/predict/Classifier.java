package dev.graft.eval.predict;

import dev.graft.models.Base;
import dev.graft.models.Pass;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.peft.Selection;
import dev.graft.tensor.Inference;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Example;
import dev.graft.train.data.Target;
import dev.graft.train.loss.Objective;
import dev.graft.train.loss.Prediction.OneClass;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * Names the class of texts. Safe for use by several threads.
 *
 * <pre>{@code
 * Classifier classifier = new Classifier(base, Selection.of(adapter));
 * Answer answer = classifier.classify("a tool with a heavy head");   // artifact, 0.93
 * }</pre>
 *
 * @param base with the head of a classifier
 * @param selection the adapters that act
 */
public record Classifier(Base base, Selection selection) {
    private static final int BATCH = 64;
    private static final int PAD = 0;
    private static final Target UNKNOWN = new Target.ClassId(0);

    /**
     * What a text is.
     *
     * @param probability of the label, in [0, 1]
     */
    public record Answer(String label, double probability) {}

    /** The most probable class. A text that is longer than the base can read is cut. */
    public Answer classify(String text) {
        OneClass said = new OneClass(0, 0, logits(List.of(text))[0]);
        return new Answer(base.labels().get(said.predicted()), said.probabilities()[said.predicted()]);
    }

    /** The logits of texts, {@code [text][class]}; texts of like length go through the model together. */
    public float[][] logits(List<String> texts) {
        EncodeOptions options = EncodeOptions.DEFAULT.truncate(base.backbone().maxPositions());
        List<Example> examples = new ArrayList<>();
        for (int i = 0; i < texts.size(); i++) {
            Encoding encoding = base.tokenizer().encode(texts.get(i), options);
            examples.add(new Example(i, encoding.ids(), encoding.typeIds(), UNKNOWN));
        }
        examples.sort(Comparator.comparingInt(Example::length));
        float[][] logits = new float[texts.size()][];
        for (int start = 0; start < examples.size(); start += BATCH) {
            Batch batch = Batch.of(examples.subList(start, Math.min(start + BATCH, examples.size())), PAD);
            try (Inference mode = new Inference();
                    Scope scope = new Scope()) {
                float[] values =
                        Tensors.floats(base.logits(Objective.inputs(batch), Pass.inference(selection.hooks())));
                int classes = values.length / batch.rows();
                for (int row = 0; row < batch.rows(); row++) {
                    logits[batch.rowIndices()[row]] = Arrays.copyOfRange(values, row * classes, (row + 1) * classes);
                }
            }
        }
        return logits;
    }
}
