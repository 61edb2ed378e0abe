package dev.graft.parity;

import dev.graft.eval.metrics.Accuracy;
import dev.graft.eval.metrics.Auroc;
import dev.graft.eval.metrics.Average;
import dev.graft.eval.metrics.Calibration;
import dev.graft.eval.metrics.ClassPrediction;
import dev.graft.eval.metrics.ClassScores;
import dev.graft.eval.metrics.ConfusionMatrix;
import dev.graft.eval.metrics.KendallTau;
import dev.graft.eval.metrics.Metric;
import dev.graft.eval.metrics.MetricSet;
import dev.graft.eval.metrics.ProbabilityPrediction;
import dev.graft.eval.metrics.Roc;
import dev.graft.eval.metrics.ValuePrediction;
import dev.graft.eval.metrics.detection.Box;
import dev.graft.eval.metrics.detection.CocoAp;
import dev.graft.eval.metrics.detection.DetectionRow;
import dev.graft.eval.metrics.spans.SpanF1;
import dev.graft.eval.metrics.spans.TagPrediction;
import dev.graft.eval.metrics.spans.TagScheme;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.stream.StreamSupport;
import tools.jackson.databind.JsonNode;

/** Scores of classes, probabilities, numbers, tags and boxes against scikit-learn, SciPy, seqeval and COCO's API. */
final class MetricsParity {

    private MetricsParity() {}

    static void classification(CaseCheck check, JsonNode stored) {
        int classes = stored.path("classes").intValue();
        ConfusionMatrix confusion = new ConfusionMatrix(classes);
        Accuracy accuracy = new Accuracy();
        for (int i = 0; i < stored.path("labels").size(); i++) {
            ClassPrediction row = new ClassPrediction(
                    stored.path("labels").get(i).intValue(),
                    stored.path("predictions").get(i).intValue());
            confusion.add(row);
            accuracy.update(row);
        }
        number(check, "accuracy", accuracy.value(), stored.path("accuracy"));
        number(check, "matthews", confusion.matthews(), stored.path("matthews"));
        if (!stored.path("balanced_accuracy").isNull()) {
            number(check, "balanced accuracy", confusion.balancedAccuracy(), stored.path("balanced_accuracy"));
            number(check, "kappa", confusion.kappa(), stored.path("cohen_kappa"));
        }
        for (int i = 0; i < classes; i++) {
            for (int j = 0; j < classes; j++) {
                check.same(
                        "confusion " + i + " " + j,
                        confusion.count(i, j),
                        stored.path("confusion").get(i).get(j).longValue());
            }
        }
        averages(stored).forEach((average, expected) -> scores(check, average, confusion.scores(average), expected));
    }

    private static Map<Average, JsonNode> averages(JsonNode stored) {
        Map<Average, JsonNode> averages = new LinkedHashMap<>();
        for (Average average : Average.values()) {
            JsonNode expected = stored.path(average.name().toLowerCase(Locale.ROOT));
            if (!expected.isMissingNode()) {
                averages.put(average, expected);
            }
        }
        return averages;
    }

    static void scores(CaseCheck check, Object what, ClassScores scores, JsonNode expected) {
        number(check, what + " precision", scores.precision(), expected.path("precision"));
        number(check, what + " recall", scores.recall(), expected.path("recall"));
        number(check, what + " f1", scores.f1(), expected.path("f1"));
    }

    static void probabilistic(CaseCheck check, JsonNode stored) {
        Auroc auroc = new Auroc();
        Calibration ten = new Calibration(10);
        Calibration fifteen = new Calibration(15);
        int rows = stored.path("labels").size();
        double[] ofSecond = new double[rows];
        boolean[] second = new boolean[rows];
        for (int i = 0; i < rows; i++) {
            double[] probabilities = doubles(stored.path("probabilities").get(i));
            ProbabilityPrediction row =
                    new ProbabilityPrediction(stored.path("labels").get(i).intValue(), probabilities);
            auroc.update(row);
            ten.update(row);
            fifteen.update(row);
            ofSecond[i] = probabilities[1];
            second[i] = row.label() == 1;
        }
        number(check, "ece of 10 bins", ten.value(), stored.path("ece_10"));
        number(check, "ece of 15 bins", fifteen.value(), stored.path("ece_15"));
        number(check, "log loss", ten.logLoss(), stored.path("log_loss"));
        if (stored.has("auroc")) {
            number(check, "auroc", auroc.value(), stored.path("auroc"));
            number(check, "average precision", value(auroc, "average_precision"), stored.path("average_precision"));
            number(check, "brier", ten.brier(), stored.path("brier"));
            number(check, "brier summed over classes", 2 * ten.brier(), stored.path("brier_multiclass_sum"));
            Roc roc = Roc.of(ofSecond, second);
            numbers(check, "false positive rate", roc.falsePositiveRate(), stored.at("/roc/fpr"));
            numbers(check, "true positive rate", roc.truePositiveRate(), stored.at("/roc/tpr"));
        } else {
            number(check, "brier summed over classes", ten.brier(), stored.path("brier_multiclass_sum"));
            number(check, "auroc of classes", auroc.value(), stored.path("auroc_ovr_macro"));
            number(check, "auroc of pairs", value(auroc, "auroc_ovo"), stored.path("auroc_ovo_macro"));
        }
    }

    static void regression(CaseCheck check, JsonNode stored) {
        MetricSet<ValuePrediction> metrics = MetricSet.regression();
        KendallTau kendall = new KendallTau();
        for (int i = 0; i < stored.path("x").size(); i++) {
            ValuePrediction row = new ValuePrediction(
                    stored.path("y").get(i).doubleValue(),
                    stored.path("x").get(i).doubleValue());
            metrics.update(row);
            kendall.update(row);
        }
        number(check, "kendall_tau_b", kendall.value(), stored.path("kendall_tau_b"));
        metrics.values().forEach((name, value) -> {
            if (stored.has(name)) {
                number(check, name, value, stored.path(name));
            }
        });
    }

    static void tags(CaseCheck check, JsonNode stored) {
        JsonNode strict = stored.path("strict_scheme");
        SpanF1 spans = new SpanF1(strict.isNull() ? TagScheme.LENIENT : TagScheme.valueOf(strict.asString()));
        for (int i = 0; i < stored.path("labels").size(); i++) {
            spans.update(new TagPrediction(
                    strings(stored.path("labels").get(i)),
                    strings(stored.path("predictions").get(i))));
        }
        number(check, "accuracy", spans.accuracy(), stored.path("accuracy"));
        averages(stored).forEach((average, expected) -> scores(check, average, spans.scores(average), expected));
    }

    static void boxes(CaseCheck check, JsonNode stored) {
        CocoAp<Box> ap = new CocoAp<>();
        for (JsonNode image : stored.path("images")) {
            List<DetectionRow.Truth<Box>> truths = new ArrayList<>();
            for (JsonNode one : of(image, stored.path("annotations"))) {
                truths.add(new DetectionRow.Truth<>(
                        one.path("category_id").intValue(),
                        box(one),
                        one.path("area").doubleValue(),
                        one.path("iscrowd").intValue() == 1));
            }
            List<DetectionRow.Detection<Box>> detections = new ArrayList<>();
            for (JsonNode one : of(image, stored.path("detections"))) {
                detections.add(new DetectionRow.Detection<>(
                        one.path("category_id").intValue(),
                        box(one),
                        one.path("score").doubleValue()));
            }
            ap.update(new DetectionRow<>(truths, detections));
        }
        ap.values()
                .forEach((name, value) ->
                        number(check, name, value, stored.path("summary").path(name)));
    }

    private static List<JsonNode> of(JsonNode image, JsonNode all) {
        return StreamSupport.stream(all.spliterator(), false)
                .filter(one -> one.path("image_id").equals(image.path("id")))
                .toList();
    }

    private static Box box(JsonNode one) {
        double[] box = doubles(one.path("bbox"));
        return new Box(box[0], box[1], box[2], box[3]);
    }

    static double value(Metric<?> metric, String name) {
        return Objects.requireNonNull(metric.values().get(name), name);
    }

    static double[] doubles(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false)
                .mapToDouble(JsonNode::doubleValue)
                .toArray();
    }

    static List<String> strings(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false)
                .map(JsonNode::asString)
                .toList();
    }

    static void numbers(CaseCheck check, String what, List<Double> got, JsonNode expected) {
        check.same("the number of values of " + what, got.size(), expected.size());
        for (int i = 0; i < got.size(); i++) {
            number(check, what + " " + i, got.get(i), expected.get(i));
        }
    }

    static void number(CaseCheck check, String what, double got, JsonNode expected) {
        check.number(what, got, expected.isNull() ? Double.NaN : expected.doubleValue(), Tolerance.DOUBLE);
    }
}
