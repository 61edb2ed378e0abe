package dev.graft.eval.suites;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.eval.metrics.detection.Mask;
import dev.graft.eval.metrics.text.Cider;
import dev.graft.eval.metrics.text.Nist;
import dev.graft.eval.metrics.text.TextPrediction;
import dev.graft.eval.suites.SuiteTask.Answer;
import dev.graft.eval.suites.SuiteTask.Item;
import dev.graft.formats.Json;
import dev.graft.train.data.Row;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Scores equal to those of the benchmarks' own scripts; {@code parity/python/suite_goldens.py} made the files. */
class SuiteGoldensTest {
    private static final double TOLERANCE = 1e-12;

    @TempDir
    Path empty;

    private static Path file(String name) {
        try {
            return Path.of(Objects.requireNonNull(SuiteGoldensTest.class.getResource("goldens/" + name))
                    .toURI());
        } catch (URISyntaxException e) {
            throw new AssertionError(e);
        }
    }

    private static List<String> strings(JsonNode list) {
        return list.valueStream().map(JsonNode::asString).toList();
    }

    @Test
    void masksAreScoredAsCocosApiDoes() {
        Map<String, Double> scores =
                CocoFiles.in(file("found.json").getParent()).score(file("found.json"));
        JsonNode expected = Json.read(file("masks.json")).path("scores");
        assertThat(scores).hasSize(expected.size());
        scores.forEach((name, value) -> assertThat(value)
                .as(name)
                .isCloseTo(expected.path(name.substring("segm_".length())).doubleValue(), within(TOLERANCE)));
    }

    @Test
    void polygonsHaveThePixelsOfCocosApi() {
        for (JsonNode each : Json.read(file("masks.json")).path("polygons")) {
            int height = each.path("height").intValue();
            int width = each.path("width").intValue();
            double[] corners = each.path("corners")
                    .valueStream()
                    .mapToDouble(JsonNode::doubleValue)
                    .toArray();
            Mask polygon = Mask.polygon(corners, height, width);
            Mask stored = Mask.compressed(height, width, each.path("compressed").asString());
            assertThat(polygon.area()).isEqualTo(each.path("area").doubleValue());
            assertThat(polygon.intersection(stored)).isEqualTo(stored.area());
            assertThat(polygon.union(stored).area()).isEqualTo(stored.area());
        }
    }

    @Test
    void masksOfAnotherSizeOrWithoutAnEndAreRefused() throws Exception {
        Files.copy(file("instances_val.json"), empty.resolve("instances_val.json"));
        CocoFiles coco = CocoFiles.in(empty);
        String found =
                "[{\"image_id\": 1, \"category_id\": 1, \"score\": 1, \"segmentation\": {\"size\": [%s], \"counts\": \"%s\"}}]";
        Path other = Files.writeString(empty.resolve("other.json"), found.formatted("160, 120", "0"));
        assertThatThrownBy(() -> coco.score(other))
                .hasMessageContaining("other.json: [0]")
                .hasMessageContaining("[120, 160], the height and width of the picture");
        Path open = Files.writeString(empty.resolve("open.json"), found.formatted("120, 160", "P"));
        assertThatThrownBy(() -> coco.score(open)).hasMessageContaining("the counts end in a run");
        Path few = Files.writeString(empty.resolve("few.json"), found.formatted("120, 160", "1"));
        assertThatThrownBy(() -> coco.score(few)).hasMessageContaining("runs of 1 pixels, expected 120 times 160");
    }

    @Test
    void questionsAreOpenFromTheBestThresholdOnAsInTheScriptOfSquad() {
        JsonNode stored = Json.read(file("squad.json"));
        List<Answer> answers = new ArrayList<>();
        for (JsonNode row : stored.path("rows")) {
            List<String> gold = strings(row.path("gold"));
            double none = row.path("none").doubleValue();
            String best = row.path("best").asString();
            Item item = new Item(
                    new Row.Question("Which?", "A text.", null),
                    gold.isEmpty() ? "none" : "has",
                    gold.isEmpty() ? List.of("") : gold);
            answers.add(new Answer(item, List.of(none > 0.5 ? "" : best, best), none));
        }
        Map<String, Double> scores = Squad.V2.score(answers);
        Map<String, String> names = Map.of(
                "exact_match", "exact",
                "f1", "f1",
                "has_answer_exact_match", "HasAns_exact",
                "has_answer_f1", "HasAns_f1",
                "no_answer_exact_match", "NoAns_exact",
                "no_answer_f1", "NoAns_f1",
                "best_exact_match", "best_exact",
                "best_f1", "best_f1");
        names.forEach((name, official) -> assertThat(100 * scores.get(name))
                .as(name)
                .isCloseTo(stored.path("scores").path(official).doubleValue(), within(1e-10)));
        assertThat(scores.get("best_f1_threshold"))
                .isEqualTo(stored.path("scores").path("best_f1_thresh").doubleValue());
        assertThat(scores.get("best_exact_match_threshold"))
                .isEqualTo(stored.path("scores").path("best_exact_thresh").doubleValue());
    }

    @Test
    void textsAreScoredAsInTheChallengeOfE2e() {
        JsonNode stored = Json.read(file("e2e.json"));
        Nist nist = new Nist();
        Cider cider = new Cider();
        for (JsonNode row : stored.path("rows")) {
            TextPrediction text = new TextPrediction(row.path("text").asString(), strings(row.path("references")));
            nist.update(text);
            cider.update(text);
        }
        assertThat(nist.value()).isCloseTo(stored.path("nist").doubleValue(), within(TOLERANCE));
        assertThat(cider.value()).isCloseTo(stored.path("cider").doubleValue(), within(TOLERANCE));
    }
}
