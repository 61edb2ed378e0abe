package dev.graft.formats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ShardedSafetensorsTest {

    @TempDir
    Path folder;

    @BeforeEach
    void twoShards() {
        Safetensors.write(folder.resolve("1.safetensors"), List.of(TensorData.of("a", new float[] {1}, 1)), Map.of());
        Safetensors.write(folder.resolve("2.safetensors"), List.of(TensorData.of("b", new float[] {2}, 1)), Map.of());
    }

    @Test
    void tensorsComeFromTheirShards() {
        Path index = index(
                "{\"metadata\":{\"total_size\":8},\"weight_map\":{\"b\":\"2.safetensors\",\"a\":\"1.safetensors\"}}");
        try (ShardedSafetensors model = ShardedSafetensors.open(index)) {
            assertThat(model.names()).containsExactlyInAnyOrder("a", "b");
            assertThat(model.tensor("a").floats()).containsExactly(1);
            assertThat(model.tensor("b").floats()).containsExactly(2);
            assertThat(model.metadata()).containsEntry("total_size", "8");
            assertThat(model.shards())
                    .containsExactly(folder.resolve("2.safetensors"), folder.resolve("1.safetensors"));
            assertThatThrownBy(() -> model.info("c")).hasMessageContaining("knows no tensor \"c\"");
        }
    }

    @Test
    void anIndexThatDisagreesWithItsShardsIsRefused() {
        refused(
                "{\"weight_map\":{\"a\":\"1.safetensors\",\"b\":\"3.safetensors\"}}",
                "shard of tensor b: ",
                "there is no such file");
        refused(
                "{\"weight_map\":{\"a\":\"2.safetensors\",\"b\":\"2.safetensors\"}}",
                "into 2.safetensors, which does not hold it");
        refused("{\"weight_map\":{\"a\":\"2.safetensors\",\"b\":\"1.safetensors\"}}", "puts into");
        refused(
                "{\"weight_map\":{\"a\":\"1.safetensors\",\"c\":\"2.safetensors\"}}",
                "holds tensor b",
                "does not know");
        refused("{\"weight_map\":{\"a\":7}}", "weight_map.a is 7, expected a string");
        refused("{}", "weight_map is missing, expected an object");
    }

    @Test
    void shardsOutsideTheFolderAreRefused() {
        for (String path : List.of("../1.safetensors", "/etc/passwd", "..", "x\\\\1.safetensors", "a\\u0000b", "")) {
            refused("{\"weight_map\":{\"a\":\"" + path + "\"}}", "expected the name of a file beside the index");
        }
    }

    private Path index(String json) {
        AtomicWrite.text(folder.resolve("model.safetensors.index.json"), json);
        return folder.resolve("model.safetensors.index.json");
    }

    private void refused(String json, String... reasons) {
        Path index = index(json);
        assertThatThrownBy(() -> ShardedSafetensors.open(index))
                .isInstanceOf(FormatException.class)
                .hasMessageContainingAll(reasons);
    }
}
