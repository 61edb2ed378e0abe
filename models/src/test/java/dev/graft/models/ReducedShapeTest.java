package dev.graft.models;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.sites.Layer;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ReducedShapeTest {
    @ParameterizedTest
    @ValueSource(strings = {"layers_block_type", "hybrid_override_pattern"})
    void firstLayersAreOfTheirKinds(String field, @TempDir Path folder) {
        Fixtures.copy("nemotron-h", folder, config -> {
            if (!field.equals("layers_block_type")) {
                config.remove("layers_block_type");
                config.put(field, "M-*M");
            }
        });

        Backbone mirror = new ReducedShape(2, null, null, null)
                .build(Base.load(folder), (name, shape) -> Tensors.zeros(ScalarType.Float, shape));

        assertThat(mirror.layers()).isEqualTo(2);
        assertThat(mirror.sites())
                .filteredOn(site -> site instanceof Layer || site.name().contains("_proj"))
                .extracting(site -> site.name().replaceFirst("^.*layers\\.", ""))
                .containsExactly(
                        "0.mixer.in_proj", "0.mixer.out_proj", "0", "1.mixer.up_proj", "1.mixer.down_proj", "1");
    }
}
