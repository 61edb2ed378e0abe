package dev.graft.eval.metrics.detection;

import dev.graft.eval.metrics.Metric;
import dev.graft.eval.metrics.NoRowsException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/**
 * Average precision of boxes or masks as COCO's API computes it: the mean over categories and over thresholds .50, .55 ... .95 of
 * intersection over union of the precision at 101 recalls. Detections are matched in the order of their scores, each to the best unmatched
 * object. Crowds and objects outside the size range count neither as right nor as wrong. A score is -1 if there is no object of that size.
 *
 * @param <S> boxes or masks
 */
public final class CocoAp<S extends Region<S>> implements Metric<DetectionRow<S>> {

    private static final int RECALLS = 101;
    private static final int MOST = 100;
    private static final double SMALL = 32 * 32;
    private static final double MEDIUM = 96 * 96;
    private static final double LARGEST = 1e10;
    private static final double[] THRESHOLDS = DoubleStream.iterate(0.5, t -> t + 0.05)
            .limit(10)
            .map(t -> Math.round(t * 100) / 100.0)
            .toArray();

    /** The scenes of each category. */
    private final Map<Integer, List<Scene<S>>> scenes = new TreeMap<>();

    private boolean isEmpty = true;

    /** The objects and detections of one category in an image, the surest detections first, and the overlap of each detection with each object. */
    private static final class Scene<S extends Region<S>> {
        private final List<DetectionRow.Truth<S>> truths;
        private final List<DetectionRow.Detection<S>> detections;
        private final double[][] overlaps;

        Scene(DetectionRow<S> row, int category) {
            truths = row.truths().stream()
                    .filter(truth -> truth.category() == category)
                    .toList();
            detections = row.detections().stream()
                    .filter(detection -> detection.category() == category)
                    .sorted(Comparator.comparingDouble(detection -> -detection.score()))
                    .limit(MOST)
                    .toList();
            overlaps = detections.stream()
                    .map(detection -> truths.stream()
                            .mapToDouble(truth -> overlap(detection.region(), truth))
                            .toArray())
                    .toArray(double[][]::new);
        }

        private static <S extends Region<S>> double overlap(S shape, DetectionRow.Truth<S> truth) {
            double both = shape.intersection(truth.region());
            return both
                    / (truth.crowd()
                            ? shape.area()
                            : shape.area() + truth.region().area() - both);
        }
    }

    @Override
    public String name() {
        return "AP";
    }

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    @Override
    public void update(DetectionRow<S> row) {
        isEmpty = false;
        Set<Integer> categories = new TreeSet<>();
        row.truths().forEach(truth -> categories.add(truth.category()));
        row.detections().forEach(detection -> categories.add(detection.category()));
        categories.forEach(category ->
                scenes.computeIfAbsent(category, c -> new ArrayList<>()).add(new Scene<>(row, category)));
    }

    @Override
    public double value() {
        return averagePrecision(0, LARGEST, THRESHOLDS);
    }

    @Override
    public Map<String, Double> values() {
        Map<String, Double> values = new LinkedHashMap<>();
        values.put("AP", value());
        values.put("AP50", averagePrecision(0, LARGEST, 0.5));
        values.put("AP75", averagePrecision(0, LARGEST, 0.75));
        values.put("AP_small", averagePrecision(0, SMALL, THRESHOLDS));
        values.put("AP_medium", averagePrecision(SMALL, MEDIUM, THRESHOLDS));
        values.put("AP_large", averagePrecision(MEDIUM, LARGEST, THRESHOLDS));
        values.put("AR1", averageRecall(0, LARGEST, 1));
        values.put("AR10", averageRecall(0, LARGEST, 10));
        values.put("AR100", averageRecall(0, LARGEST, MOST));
        values.put("AR_small", averageRecall(0, SMALL, MOST));
        values.put("AR_medium", averageRecall(SMALL, MEDIUM, MOST));
        values.put("AR_large", averageRecall(MEDIUM, LARGEST, MOST));
        return values;
    }

    private double averagePrecision(double smallest, double largest, double... thresholds) {
        return mean(smallest, largest, MOST, thresholds, Matches::averagePrecision);
    }

    private double averageRecall(double smallest, double largest, int most) {
        return mean(smallest, largest, most, THRESHOLDS, Matches::recall);
    }

    private interface Score {
        double of(Matches matches);
    }

    private double mean(double smallest, double largest, int most, double[] thresholds, Score score) {
        if (isEmpty) {
            throw new NoRowsException(name());
        }
        double sum = 0;
        int scores = 0;
        for (List<Scene<S>> own : scenes.values()) {
            for (double threshold : thresholds) {
                Matches matches = new Matches();
                own.forEach(scene -> matches.add(scene, smallest, largest, threshold, most));
                if (matches.objects > 0) {
                    sum += score.of(matches);
                    scores++;
                }
            }
        }
        return scores == 0 ? -1 : sum / scores;
    }

    /** The detections of one category that are right at one threshold. */
    private static final class Matches {

        private record ScoredDetection(double score, boolean right) {}

        private final List<ScoredDetection> detections = new ArrayList<>();
        private int objects;

        void add(Scene<?> scene, double smallest, double largest, double threshold, int most) {
            boolean[] ignored = new boolean[scene.truths.size()];
            for (int i = 0; i < ignored.length; i++) {
                ignored[i] = ignored(scene.truths.get(i), smallest, largest);
                objects += ignored[i] ? 0 : 1;
            }
            int[] order = IntStream.range(0, ignored.length)
                    .boxed()
                    .sorted(Comparator.comparing(i -> ignored[i]))
                    .mapToInt(i -> i)
                    .toArray();
            boolean[] taken = new boolean[ignored.length];
            for (int i = 0; i < Math.min(most, scene.detections.size()); i++) {
                DetectionRow.Detection<?> detection = scene.detections.get(i);
                int match = match(scene.overlaps[i], order, ignored, taken, threshold);
                boolean counts = match < 0 ? !outside(detection.region().area(), smallest, largest) : !ignored[match];
                if (match >= 0) {
                    taken[match] = !scene.truths.get(match).crowd();
                }
                if (counts) {
                    detections.add(new ScoredDetection(detection.score(), match >= 0));
                }
            }
        }

        /** The free object with the highest overlap of at least the threshold, one that counts before one that doesn't. */
        private static int match(double[] overlaps, int[] order, boolean[] ignored, boolean[] taken, double threshold) {
            double best = Math.min(threshold, 1 - 1e-10);
            int match = -1;
            for (int i : order) {
                if (match >= 0 && !ignored[match] && ignored[i]) {
                    break;
                }
                if (!taken[i] && overlaps[i] >= best) {
                    best = overlaps[i];
                    match = i;
                }
            }
            return match;
        }

        private static boolean ignored(DetectionRow.Truth<?> truth, double smallest, double largest) {
            return truth.crowd() || outside(truth.area(), smallest, largest);
        }

        private static boolean outside(double area, double smallest, double largest) {
            return area < smallest || area > largest;
        }

        double recall() {
            return (double) detections.stream().filter(ScoredDetection::right).count() / objects;
        }

        double averagePrecision() {
            detections.sort(Comparator.comparingDouble(one -> -one.score));
            double[] precision = new double[detections.size()];
            double[] recall = new double[detections.size()];
            int right = 0;
            for (int i = 0; i < precision.length; i++) {
                right += detections.get(i).right ? 1 : 0;
                precision[i] = (double) right / (i + 1);
                recall[i] = (double) right / objects;
            }
            for (int i = precision.length - 2; i >= 0; i--) {
                precision[i] = Math.max(precision[i], precision[i + 1]);
            }
            double sum = 0;
            for (int i = 0; i < RECALLS; i++) {
                int at = firstAtLeast(recall, i / 100.0);
                sum += at < precision.length ? precision[at] : 0;
            }
            return sum / RECALLS;
        }

        private static int firstAtLeast(double[] ascending, double wanted) {
            return (int)
                    Arrays.stream(ascending).filter(value -> value < wanted).count();
        }
    }
}
