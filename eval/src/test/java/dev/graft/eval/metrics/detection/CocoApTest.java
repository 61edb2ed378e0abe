package dev.graft.eval.metrics.detection;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.eval.metrics.detection.DetectionRow.Detection;
import dev.graft.eval.metrics.detection.DetectionRow.Truth;
import java.util.List;
import org.junit.jupiter.api.Test;

class CocoApTest {

    private static final Box BOX = new Box(10, 10, 50, 50);

    private static CocoAp<Box> of(List<Truth<Box>> truths, List<Detection<Box>> detections) {
        CocoAp<Box> ap = new CocoAp<>();
        ap.update(new DetectionRow<>(truths, detections));
        return ap;
    }

    private static Truth<Box> truth(Box box, boolean crowd) {
        return new Truth<>(1, box, box.area(), crowd);
    }

    @Test
    void theSameBoxIsPerfectAndSizesThatDoNotOccurHaveNoScore() {
        CocoAp<Box> ap = of(List.of(truth(BOX, false)), List.of(new Detection<>(1, BOX, 0.5)));

        assertThat(ap.value()).isEqualTo(1);
        assertThat(ap.values()).containsEntry("AP_small", -1.0).containsEntry("AP_medium", 1.0);
    }

    @Test
    void anObjectIsFoundOnce() {
        CocoAp<Box> ap = of(
                List.of(truth(BOX, false), truth(new Box(200, 200, 40, 40), false)),
                List.of(new Detection<>(1, BOX, 0.9), new Detection<>(1, BOX, 0.8)));

        assertThat(ap.values().get("AR100")).isEqualTo(0.5);
        assertThat(ap.value()).isBetween(0.5, 0.51);
    }

    @Test
    void whatIsFoundInsideAGroupIsNeitherRightNorWrong() {
        Box inside = new Box(110, 110, 20, 20);
        CocoAp<Box> ap = of(
                List.of(truth(BOX, false), truth(new Box(100, 100, 90, 90), true)),
                List.of(new Detection<>(1, inside, 0.95), new Detection<>(1, BOX, 0.9)));

        assertThat(ap.value()).isEqualTo(1);
    }

    @Test
    void anotherCategoryIsAnotherObject() {
        assertThat(of(List.of(truth(BOX, false)), List.of(new Detection<>(2, BOX, 0.9)))
                        .value())
                .isZero();
    }
}
