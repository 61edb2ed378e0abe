package dev.graft.models.checkpoints;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.DType;
import dev.graft.formats.FormatException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorInfo;
import dev.graft.models.Base;
import dev.graft.models.matrices.GroupedInt4Matrix;
import dev.graft.models.matrices.Quantization;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The base was quantised by MLX; BasesTest compares what it computes. */
class MlxTensorsTest {
    private static final Path BASES = Path.of("../parity/fixtures/bases");
    private static final String WEIGHT = "model.layers.0.self_attn.q_proj.weight";

    private Scope scope;

    @BeforeEach
    void open() {
        scope = new Scope();
    }

    @AfterEach
    void close() {
        scope.close();
    }

    @Test
    void isKeptAsItIsAndWrittenAsItWas(@TempDir Path folder) {
        Base base = Base.load(BASES.resolve("llama-mlx"));
        assertThat(base.quantization()).isEqualTo(Quantization.KEEP);
        assertThat(base.quantized()).hasSize(7);
        assertThat(base.quantized().values())
                .allSatisfy(matrix ->
                        assertThat(((GroupedInt4Matrix) matrix).group()).isEqualTo(64));
        assertThat(base.unusedTensors()).isEmpty();

        base.save(folder.resolve("again"));

        assertThat(Base.load(folder.resolve("again")).checksum()).isEqualTo(base.checksum());
        try (Safetensors one = Safetensors.open(BASES.resolve("llama-mlx/model.safetensors"));
                Safetensors other = Safetensors.open(folder.resolve("again/model.safetensors"))) {
            for (String part : List.of("weight", "scales", "biases")) {
                String name = WEIGHT.replace("weight", part);
                assertThat(other.info(name)).isEqualTo(one.info(name));
                assertThat(other.bytes(name)).as(name).isEqualTo(one.bytes(name));
            }
        }
    }

    @Test
    void isWholeOrInAnotherKindWhereThatIsAskedFor() {
        Base kept = Base.load(BASES.resolve("llama-mlx"));
        Base whole = Base.load(BASES.resolve("llama-mlx"), Base.Options.DEFAULT.withQuantization(Quantization.NONE));
        assertThat(whole.quantized()).isEmpty();
        assertThat(Tensors.bytes(whole.parameters().get(WEIGHT)))
                .isEqualTo(Tensors.bytes(kept.quantized().get(WEIGHT).values()));
        Base other = Base.load(BASES.resolve("llama-mlx"), Base.Options.DEFAULT.withQuantization(Quantization.INT4));
        assertThat(other.quantized().values())
                .allSatisfy(matrix ->
                        assertThat(((GroupedInt4Matrix) matrix).group()).isEqualTo(GroupedInt4Matrix.GROUP));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"bits\": 4 | \"bits\": 3 | bits is 3, expected 4",
                "\"mode\": \"affine\" | \"mode\": \"mxfp4\" | mode is \"mxfp4\"",
                "\"group_size\": 64 | \"group_size\": 48 | group_size is 48, expected 32, 64 or 128",
                "\"group_size\": 64 | \"group_size\": 128 | aren't whole groups of 128",
                "\"group_size\": 64 | \"group_size\": 32 | expected F32, F16 or BF16 [64, 2]",
            })
    void aConfigurationThatIsNotOfTheTensorsIsRefused(String from, String to, String problem, @TempDir Path folder)
            throws IOException {
        Files.copy(BASES.resolve("llama-mlx/model.safetensors"), folder.resolve("model.safetensors"));
        Files.writeString(
                folder.resolve("config.json"),
                Files.readString(BASES.resolve("llama-mlx/config.json")).replace(from, to));
        assertThatThrownBy(() -> Base.load(folder))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining(problem);
    }

    @ParameterizedTest
    @CsvSource({"biases, has no tensor", "weight, expected a U32 matrix"})
    void missingPartsAreNamed(String part, String problem, @TempDir Path folder) throws IOException {
        List<TensorData> tensors = new ArrayList<>();
        try (Safetensors file = Safetensors.open(BASES.resolve("llama-mlx/model.safetensors"))) {
            for (String name : file.names()) {
                if (!name.equals(WEIGHT.replace("weight", part))) {
                    tensors.add(file.tensor(name));
                } else if (part.equals("weight")) {
                    TensorInfo floats =
                            new TensorInfo(name, DType.F32, file.info(name).shape());
                    tensors.add(new TensorData(floats, ByteBuffer.allocate((int) floats.bytes())));
                }
            }
            Safetensors.write(folder.resolve("model.safetensors"), tensors, Map.of());
        }
        Files.copy(BASES.resolve("llama-mlx/config.json"), folder.resolve("config.json"));
        assertThatThrownBy(() -> Base.load(folder))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining(problem);
    }
}
