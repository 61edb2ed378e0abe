package dev.graft.eval.suites;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CocoFilesTest {
    static final String OBJECTS =
            "{\"images\": [{\"id\": 1, \"height\": 60, \"width\": 60}, {\"id\": 2, \"height\": 60, \"width\": 60}], \"categories\": [{\"id\": 18, \"name\": \"dog\"}],"
                    + " \"annotations\": [{\"id\": 1, \"image_id\": 1, \"category_id\": 18, \"bbox\": [0, 0, 10, 10], \"area\": 90,"
                    + " \"segmentation\": [[0, 0, 10, 0, 10, 10, 0, 10]], \"iscrowd\": 0}, {\"id\": 2, \"image_id\": 2, \"category_id\": 18, \"bbox\": [5, 5, 50, 50], \"area\": 2000,"
                    + " \"segmentation\": {\"size\": [60, 60], \"counts\": [0, 3600]}, \"iscrowd\": 0}]}";

    @TempDir
    Path folder;

    private Path predictions(String text) throws IOException {
        return Files.writeString(folder.resolve("found.json"), text);
    }

    @Test
    void boxesAreComparedByPictureAndKind() throws IOException {
        Files.createDirectories(folder.resolve("annotations"));
        Files.writeString(folder.resolve("annotations/instances_val2017.json"), OBJECTS);
        CocoFiles coco = CocoFiles.in(folder);
        assertThat(coco.images()).isEqualTo(2);
        Path found = predictions("[{\"image_id\": 1, \"category_id\": 18, \"bbox\": [0, 0, 10, 10], \"score\": 0.9},"
                + " {\"image_id\": 1, \"category_id\": 18, \"bbox\": [50, 50, 5, 5], \"score\": 0.1}]");
        // One of two objects is found first: precision 1 up to recall 0.5, 51 of 101 points.
        assertThat(coco.score(found).get("AP")).isCloseTo(51.0 / 101, within(1e-9));
        assertThat(coco.score(found).get("AP_small")).isCloseTo(1, within(1e-9));
        assertThat(coco.score(found).get("AP_large")).isEqualTo(-1);
        assertThat(coco.score(predictions("[]")).get("AP")).isZero();

        assertThatThrownBy(() -> coco.score(predictions("[{\"image_id\": 3, \"category_id\": 18}]")))
                .hasMessageContaining("found.json: [0]")
                .hasMessageContaining("image_id is 3");
        assertThatThrownBy(() -> coco.score(
                        predictions("[{\"image_id\": 1, \"category_id\": 18, \"bbox\": [0, 0, -1, 2], \"score\": 1}]")))
                .hasMessageContaining("x, y, width and height");
        assertThatThrownBy(() -> coco.score(
                        predictions("[{\"image_id\": 1, \"category_id\": 7, \"bbox\": [0, 0, 1, 2], \"score\": 1}]")))
                .hasMessageContaining("category_id is 7");
        assertThatThrownBy(() -> CocoFiles.in(folder.resolve("x"))).hasMessageContaining("has 0 files such as");
    }
}
