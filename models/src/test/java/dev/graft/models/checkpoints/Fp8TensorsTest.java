package dev.graft.models.checkpoints;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.FormatException;
import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

/** parity/python/fp8_goldens.py wrote the fixtures. */
class Fp8TensorsTest {
    private static final Path FIXTURES = Path.of("../parity/fixtures/fp8");

    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"blocks", "rows", "whole", "bare"})
    void matricesAndLogitsAreThoseOfTheReference(String kind) {
        Base base = Base.load(FIXTURES.resolve(kind));
        assertThat(base.unusedTensors()).isEmpty();
        try (Safetensors reference = Safetensors.open(FIXTURES.resolve(kind).resolve("reference.safetensors"));
                NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            for (String name : reference.names()) {
                Tensor own = base.parameters().get(name);
                if (own != null) {
                    assertThat(Tensors.floats(own))
                            .as(name)
                            .isEqualTo(reference.tensor(name).floats());
                }
            }
            long[][] ids = new long[2][7];
            for (int i = 0; i < 14; i++) {
                ids[i / 7][i % 7] = reference.tensor("input_ids").bytes().getLong(8 * i);
            }
            float[] logits = Tensors.floats(base.logits(Inputs.of(ids), ForwardPass.inference(Hooks.NONE)));
            assertThat(logits).hasSameSizeAs(reference.tensor("logits").floats());
            for (int i = 0; i < logits.length; i++) {
                assertThat(logits[i]).isCloseTo(reference.tensor("logits").floats()[i], within(2e-5f));
            }
        }
    }

    @Test
    void theyAreKeptInBf16AndWrittenWhole() {
        Base base = Base.load(FIXTURES.resolve("blocks"), Base.Options.DEFAULT.withNumerics(Numerics.BF16));
        base.save(folder.resolve("saved"));
        Base saved = Base.load(folder.resolve("saved"), Base.Options.DEFAULT.withNumerics(Numerics.BF16));
        assertThat(saved.checksum()).isEqualTo(base.checksum());
        assertThat(saved.config().has("quantization_config")).isFalse();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "blocks | /weight_block_size | [8] | weight_block_size",
                "blocks | /weight_block_size | [4, 12] | expected a scale for each block of 4 rows and 12 columns",
                "blocks | /quant_method | \"modelopt\" | quant_method",
                "rows | /format | \"int-quantized\" | format",
                "rows | /config_groups/group_0/weights/num_bits | 4 | num_bits",
                "rows | /config_groups/group_0/weights/symmetric | false | symmetric",
                "rows | /config_groups/group_0/weights/strategy | \"group\" | strategy",
                "rows | /config_groups/group_0/weights/type | \"int\" | type"
            })
    void whatIsNotReadIsRefusedByName(String kind, String field, String value, String message) throws IOException {
        ObjectNode config = (ObjectNode) Json.read(FIXTURES.resolve(kind).resolve("config.json"));
        int last = field.lastIndexOf('/');
        ObjectNode parent = (ObjectNode) config.get("quantization_config").at(field.substring(0, last));
        parent.set(field.substring(last + 1), Json.parse("value", value));
        Files.writeString(folder.resolve("config.json"), Json.pretty(config));
        Files.copy(FIXTURES.resolve(kind).resolve("model.safetensors"), folder.resolve("model.safetensors"));
        assertThatThrownBy(() -> Base.load(folder))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining(message);
    }

    @Test
    void anotherNumberOfScalesIsRefused() throws IOException {
        String name = "model.layers.0.self_attn.k_proj.weight_scale";
        Files.copy(FIXTURES.resolve("rows/config.json"), folder.resolve("config.json"));
        List<TensorData> tensors = new ArrayList<>();
        try (Safetensors source = Safetensors.open(FIXTURES.resolve("rows/model.safetensors"))) {
            for (String tensor : source.names()) {
                tensors.add(
                        tensor.equals(name) ? TensorData.of(name, new float[] {1, 2, 3}, 3) : source.tensor(tensor));
            }
            Safetensors.write(folder.resolve("model.safetensors"), tensors, Map.of("format", "pt"));
        }
        assertThatThrownBy(() -> Base.load(folder))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining(name)
                .hasMessageContaining("or one for all of it");
    }
}
