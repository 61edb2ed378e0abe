package dev.graft.parity;

import dev.graft.eval.metrics.McNemar;
import dev.graft.eval.metrics.PassAtK;
import dev.graft.eval.metrics.Ranking;
import dev.graft.eval.metrics.Segmentation;
import dev.graft.eval.metrics.text.ErrorRate;
import dev.graft.eval.metrics.text.TextPrediction;
import dev.graft.eval.metrics.text.VqaAccuracy;
import java.util.List;
import java.util.stream.StreamSupport;
import tools.jackson.databind.JsonNode;

/** Scores of rankings, segmentations, transcripts, sampled programs, votes and paired comparisons. */
final class MoreMetricsParity {

    private MoreMetricsParity() {}

    static void ranking(CaseCheck check, JsonNode stored) {
        int k = stored.path("k").intValue();
        Ranking ranking = new Ranking(List.of(k));
        ranking.update(new Ranking.Row(
                MetricsParity.doubles(stored.path("scores")), MetricsParity.doubles(stored.path("relevance"))));
        for (String name : List.of("ndcg", "mrr", "hit_rate", "recall")) {
            MetricsParity.number(check, name, MetricsParity.value(ranking, name + "@" + k), stored.path(name));
        }
    }

    static void segmentation(CaseCheck check, JsonNode stored) {
        Segmentation segmentation = new Segmentation(stored.path("classes").intValue());
        for (JsonNode image : stored.path("images")) {
            segmentation.update(new Segmentation.Row(ints(image.path("labels")), ints(image.path("predictions"))));
        }
        segmentation.values().forEach((name, value) -> MetricsParity.number(check, name, value, stored.path(name)));
    }

    static void transcript(CaseCheck check, JsonNode stored) {
        List<String> predictions = MetricsParity.strings(stored.path("predictions"));
        List<String> references = MetricsParity.strings(stored.path("references"));
        for (ErrorRate rate : List.of(ErrorRate.ofWords(), ErrorRate.ofCharacters())) {
            for (int i = 0; i < predictions.size(); i++) {
                rate.update(new TextPrediction(predictions.get(i), references.get(i)));
            }
            MetricsParity.number(check, rate.name(), rate.value(), stored.path(rate.name()));
        }
    }

    static void samples(CaseCheck check, JsonNode stored) {
        PassAtK pass = new PassAtK(stored.path("k").intValue());
        pass.update(new PassAtK.Row(
                stored.path("samples").intValue(), stored.path("passing").intValue()));
        MetricsParity.number(check, pass.name(), pass.value(), stored.path("pass"));
    }

    static void paired(CaseCheck check, JsonNode stored) {
        McNemar test = new McNemar(
                stored.path("only_first").longValue(),
                stored.path("only_second").longValue());
        MetricsParity.number(check, "p", test.pValue(), stored.path("p"));
    }

    static void votes(CaseCheck check, JsonNode stored) {
        VqaAccuracy accuracy = new VqaAccuracy();
        accuracy.update(new TextPrediction(
                stored.path("prediction").asString(), MetricsParity.strings(stored.path("answers"))));
        MetricsParity.number(check, accuracy.name(), accuracy.value(), stored.path("vqa_accuracy"));
    }

    private static int[] ints(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false)
                .mapToInt(JsonNode::intValue)
                .toArray();
    }
}
