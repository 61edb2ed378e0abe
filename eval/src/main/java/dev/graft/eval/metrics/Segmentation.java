package dev.graft.eval.metrics;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * Scores of a class for every pixel: the mean over classes of intersection over union TP/(TP+FP+FN), and of Dice
 * 2TP/(2TP+FP+FN), from counts summed over the whole data set. Pixels labelled 255 don't count; classes that neither occur
 * nor are predicted are left out of the means.
 */
public final class Segmentation implements Metric<Segmentation.Row> {

    /** The label of pixels that have none. */
    public static final int IGNORED = 255;

    /** An image: the true and the predicted class of each pixel in the same order, both {@code [pixels]}. */
    public record Row(int[] labels, int[] predictions) {
        public Row {
            if (labels.length != predictions.length) {
                throw new IllegalArgumentException(
                        "an image has " + labels.length + " pixels but " + predictions.length + " predictions");
            }
        }
    }

    private final ConfusionMatrix confusion;

    public Segmentation(int classes) {
        confusion = new ConfusionMatrix(classes);
    }

    @Override
    public String name() {
        return "mean_iou";
    }

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    @Override
    public void update(Row row) {
        for (int i = 0; i < row.labels.length; i++) {
            if (row.labels[i] != IGNORED) {
                confusion.add(new ClassPrediction(row.labels[i], row.predictions[i]));
            }
        }
    }

    /** Returns intersection over union of one class, in [0, 1]; NaN if it neither occurs nor is predicted. */
    public double iou(int label) {
        double right = confusion.count(label, label);
        return right / (confusion.support(label) + confusion.predicted(label) - right);
    }

    /** Twice the intersection over the sum of both areas; NaN if both are empty. */
    public double dice(int label) {
        return 2.0 * confusion.count(label, label) / (confusion.support(label) + confusion.predicted(label));
    }

    @Override
    public double value() {
        return Objects.requireNonNull(values().get(name()));
    }

    @Override
    public Map<String, Double> values() {
        double iou = 0;
        double dice = 0;
        int classes = 0;
        for (int i = 0; i < confusion.classes(); i++) {
            if (confusion.support(i) + confusion.predicted(i) > 0) {
                iou += iou(i);
                dice += dice(i);
                classes++;
            }
        }
        if (classes == 0) {
            throw new NoRowsException(name());
        }
        Map<String, Double> values = new LinkedHashMap<>();
        values.put("mean_iou", iou / classes);
        values.put("mean_dice", dice / classes);
        values.put("pixel_accuracy", confusion.accuracy());
        return values;
    }
}
