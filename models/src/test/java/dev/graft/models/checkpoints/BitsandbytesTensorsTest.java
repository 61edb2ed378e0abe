package dev.graft.models.checkpoints;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.DType;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorInfo;
import dev.graft.models.Base;
import dev.graft.models.matrices.Quantization;
import dev.graft.models.matrices.QuantizedMatrix;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The bases were made by transformers and bitsandbytes; BasesTest compares what they compute. */
class BitsandbytesTensorsTest {
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

    @ParameterizedTest
    @ValueSource(strings = {"nf4", "fp4", "int8"})
    void isKeptAsItIsAndWrittenAsItWas(String kind, @TempDir Path folder) {
        Base base = Base.load(BASES.resolve("llama-" + kind));
        assertThat(base.quantization()).isEqualTo(Quantization.KEEP);
        assertThat(base.quantized().values()).extracting(QuantizedMatrix::kind).containsOnly(kind);
        assertThat(base.unusedTensors()).isEmpty();

        base.save(folder.resolve("again"));
        Base again = Base.load(folder.resolve("again"));

        assertThat(again.checksum()).isEqualTo(base.checksum());
        try (Safetensors one = Safetensors.open(BASES.resolve("llama-" + kind + "/model.safetensors"));
                Safetensors other = Safetensors.open(folder.resolve("again/model.safetensors"))) {
            assertThat(other.names()).containsExactlyInAnyOrderElementsOf(one.names());
            for (String name : one.names()) {
                if (!name.contains("quant_state")) {
                    assertThat(other.info(name)).isEqualTo(one.info(name));
                    assertThat(other.bytes(name)).as(name).isEqualTo(one.bytes(name));
                }
            }
        }
    }

    @Test
    void isWholeWhereThatIsAskedFor() {
        Base kept = Base.load(BASES.resolve("llama-nf4"));
        Base whole = Base.load(BASES.resolve("llama-nf4"), Base.Options.DEFAULT.withQuantization(Quantization.NONE));
        assertThat(whole.quantized()).isEmpty();
        assertThat(Tensors.bytes(whole.parameters().get(WEIGHT)))
                .isEqualTo(Tensors.bytes(kept.quantized().get(WEIGHT).values()));
        Base other = Base.load(BASES.resolve("llama-nf4"), Base.Options.DEFAULT.withQuantization(Quantization.INT8));
        assertThat(other.quantized().values()).extracting(QuantizedMatrix::kind).containsOnly("int8");
    }

    @Test
    void aBaseIsWrittenInTheKindThatItWasQuantisedIn(@TempDir Path folder) {
        Base base = Base.load(BASES.resolve("llama-gqa"), Base.Options.DEFAULT.withQuantization(Quantization.NF4));
        base.save(folder.resolve("nf4"));
        assertThat(Base.load(folder.resolve("nf4")).checksum()).isEqualTo(base.checksum());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                ".quant_map | | has no tensor " + WEIGHT + ".quant_map",
                ".absmax | | has no tensor " + WEIGHT + ".absmax",
                ".nested_absmax | 0 | expected F32",
                ".quant_state.bitsandbytes__nf4 | {} | shape",
                ".quant_state.bitsandbytes__nf4 | {\"quant_type\": \"fp4\", \"shape\": [64, 64]} | quant_type is \"fp4\"",
                ".quant_state.bitsandbytes__nf4 | {\"quant_type\": \"nf4\", \"shape\": [64]} | the two sizes",
                ".quant_state.bitsandbytes__nf4 | {\"quant_type\": \"nf4\", \"shape\": [64, 63]} | expected",
                ".quant_state.bitsandbytes__nf4 | {\"quant_type\": \"nf4\", \"shape\": [64, 64], \"blocksize\": 48} | a power of two",
                ".quant_state.bitsandbytes__nf4 | [] | JSON",
            })
    void aBrokenFileIsRefused(String part, String content, String problem, @TempDir Path folder) throws IOException {
        Path broken = rewrite(folder, tensor -> {
            if (!tensor.info().name().equals(WEIGHT + part)) {
                return List.of(tensor);
            }
            if (content == null) {
                return List.of();
            }
            byte[] bytes = content.getBytes(StandardCharsets.UTF_8);
            long[] shape = {bytes.length};
            TensorInfo info = new TensorInfo(tensor.info().name(), DType.U8, shape);
            return List.of(new TensorData(info, ByteBuffer.wrap(bytes)));
        });
        assertThatThrownBy(() -> Base.load(broken))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining(problem);
    }

    private static Path rewrite(Path folder, Function<TensorData, List<TensorData>> change) throws IOException {
        List<TensorData> tensors = new ArrayList<>();
        try (Safetensors file = Safetensors.open(BASES.resolve("llama-nf4/model.safetensors"))) {
            for (String name : file.names()) {
                tensors.addAll(change.apply(file.tensor(name)));
            }
            Safetensors.write(folder.resolve("model.safetensors"), tensors, Map.of());
        }
        Files.copy(BASES.resolve("llama-nf4/config.json"), folder.resolve("config.json"));
        return folder;
    }

    @ParameterizedTest
    @ValueSource(strings = {"gptq", "awq", "hqq"})
    void otherKindsAreRefusedByName(String method, @TempDir Path folder) throws IOException {
        Path from = BASES.resolve("llama-nf4");
        Files.copy(from.resolve("model.safetensors"), folder.resolve("model.safetensors"));
        Files.writeString(
                folder.resolve("config.json"),
                Files.readString(from.resolve("config.json")).replace("\"bitsandbytes\"", "\"" + method + "\""));
        assertThatThrownBy(() -> Base.load(folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("quant_method is \"" + method + "\", expected \"bitsandbytes\"");
    }
}
