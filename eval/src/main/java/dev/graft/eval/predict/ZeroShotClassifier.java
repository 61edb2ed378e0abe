package dev.graft.eval.predict;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.Head;
import dev.graft.models.images.ImageProcessor;
import dev.graft.models.images.Picture;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.ImageTextEncoder;
import dev.graft.train.data.PictureSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * Zero-shot image classification: chooses the label whose text fits a picture best, by a dual encoder such as CLIP.
 *
 * <pre>{@code
 * ZeroShotClassifier shapes = new ZeroShotClassifier(clip, List.of("cat", "dog"), "a photo of a {}");
 * shapes.classify(List.of(PictureSource.of(Path.of("cat.jpg"))), Hooks.NONE).get(0).labels();   // [cat]
 * }</pre>
 */
public final class ZeroShotClassifier {
    private static final String PLACE = "{}";
    private static final int ROWS = 16;

    private final Base base;
    private final List<String> labels;
    private final long[][] ids;
    private final long[][] mask;
    private final boolean alone;

    /**
     * Creates a classifier.
     *
     * @param template the text around a label, with {} for the label
     * @throws InputException if the base is no dual encoder, or there are no labels
     */
    public ZeroShotClassifier(Base base, List<String> labels, String template) {
        if (base.task() != Task.CONTRASTIVE) {
            throw new InputException(base.name() + " has a head for " + base.task() + ", expected a dual encoder");
        }
        if (labels.isEmpty()) {
            throw new InputException(base.name() + " compares images with texts: name the labels to choose from");
        }
        if (!template.contains(PLACE)) {
            throw new InputException("the template is \"" + template + "\", expected {} where the label goes");
        }
        this.base = base;
        this.labels = List.copyOf(labels);
        this.alone = base.head() instanceof Head.Contrastive head && head.bias() != null;
        ImageTextEncoder encoder = new ImageTextEncoder(base);
        List<int[]> texts = new ArrayList<>();
        for (String label : labels) {
            texts.add(
                    encoder.ids(template.replace(PLACE, label), base.backbone().maxPositions()));
        }
        int width = texts.stream().mapToInt(text -> text.length).max().orElseThrow();
        ids = new long[texts.size()][width];
        mask = new long[texts.size()][width];
        for (int i = 0; i < ids.length; i++) {
            int[] text = texts.get(i);
            Arrays.setAll(ids[i], at -> at < text.length ? text[at] : 0);
            Arrays.fill(mask[i], 0, text.length, 1);
        }
    }

    /**
     * Classifies pictures, in their order. Probabilities are a softmax over the labels, or a sigmoid of each for heads with independent
     * pairs, such as SigLIP's.
     */
    public List<LabelPredictor.LabelPrediction> classify(List<PictureSource> pictures, Hooks hooks) {
        List<LabelPredictor.LabelPrediction> answers = new ArrayList<>();
        ImageProcessor processor = base.imageProcessor();
        for (int from = 0; from < pictures.size(); from += ROWS) {
            List<Picture> some = pictures.subList(from, Math.min(pictures.size(), from + ROWS)).stream()
                    .map(PictureSource::read)
                    .toList();
            try (NoGrad noGrad = new NoGrad();
                    Scope scope = new Scope()) {
                Inputs in = Inputs.of(Tensors.of(ids), Tensors.of(mask)).withPixels(processor.pixels(some));
                Tensor scores = base.logits(in, ForwardPass.inference(hooks));
                float[] values = Tensors.floats(alone ? scores.sigmoid() : scores.softmax(-1));
                for (int row = 0; row < some.size(); row++) {
                    answers.add(answer(Arrays.copyOfRange(values, row * ids.length, (row + 1) * ids.length)));
                }
            }
        }
        return answers;
    }

    private LabelPredictor.LabelPrediction answer(float[] probabilities) {
        Map<String, Double> byLabel = new LinkedHashMap<>();
        int best = 0;
        for (int i = 0; i < probabilities.length; i++) {
            byLabel.put(labels.get(i), (double) probabilities[i]);
            best = probabilities[i] > probabilities[best] ? i : best;
        }
        return new LabelPredictor.LabelPrediction(List.of(labels.get(best)), byLabel, null);
    }
}
