package dev.graft.formats;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import tools.jackson.databind.JsonNode;

/**
 * Any bytes are either read or refused with a {@link FormatException}, and what was read survives being written. Seeds lie in the
 * resources beside this class; {@code JAZZER_FUZZ=1} and one method selected by {@code -Dtest} searches for new inputs.
 */
class ReadersFuzzTest {

    private Path file;

    @BeforeEach
    void create() throws Exception {
        file = Files.createTempFile("graft-fuzz", "");
    }

    @AfterEach
    void delete() throws Exception {
        Files.deleteIfExists(file);
    }

    @FuzzTest(maxDuration = "2m")
    void safetensors(byte[] input) throws Exception {
        Files.write(file, input);
        try (Safetensors read = Safetensors.open(file)) {
            List<TensorData> tensors = new ArrayList<>();
            long bytes = 0;
            for (String name : read.names()) {
                TensorData tensor = read.tensor(name);
                assertThat(tensor.floats()).hasSize((int) tensor.info().elements());
                bytes += tensor.info().bytes();
                tensors.add(tensor);
            }
            assertThat(bytes).isLessThan(input.length);
            Path first = file.resolveSibling(file.getFileName() + ".1");
            Path second = file.resolveSibling(file.getFileName() + ".2");
            try {
                Safetensors.write(first, tensors, read.metadata());
                try (Safetensors again = Safetensors.open(first)) {
                    assertThat(again.names()).containsExactlyInAnyOrderElementsOf(read.names());
                    assertThat(again.metadata()).isEqualTo(read.metadata());
                    Safetensors.write(
                            second, again.names().stream().map(again::tensor).toList(), again.metadata());
                }
                assertThat(second).hasSameBinaryContentAs(first);
            } finally {
                Files.deleteIfExists(first);
                Files.deleteIfExists(second);
            }
        } catch (FormatException refused) {
            assertThat(refused).hasMessageStartingWith(file.toString());
        }
    }

    @FuzzTest(maxDuration = "2m")
    void ctranslate2(byte[] input) throws Exception {
        Files.write(file, input);
        try (Ctranslate2 read = Ctranslate2.open(file)) {
            for (String name : read.names()) {
                assertThat(read.tensor(name).floats())
                        .hasSize((int) read.info(name).elements());
            }
        } catch (FormatException refused) {
            assertThat(refused).hasMessageContaining(file.toString());
        }
    }

    @FuzzTest(maxDuration = "2m")
    void gguf(byte[] input) throws Exception {
        Files.write(file, input);
        try (Gguf read = Gguf.open(file)) {
            assertThat(read.metadata().keySet()).isEqualTo(read.fields().keys());
            for (String name : read.names()) {
                assertThat(read.raw(name).remaining()).isLessThan(input.length);
                assertThat(read.dequantize(name)).hasSize((int) read.info(name).elements());
            }
        } catch (FormatException refused) {
            assertThat(refused).hasMessageStartingWith(file.toString());
        }
    }

    @FuzzTest(maxDuration = "2m")
    void e5s1(byte[] input) throws Exception {
        Files.write(file, input);
        try (E5s1 read = E5s1.open(file)) {
            assertThat(read.pieces().texts()).hasSameSizeAs(read.pieces().scores());
            for (String name : read.names()) {
                if (read.info(name).bytes() < 1 << 24) {
                    assertThat(read.tensor(name).floats())
                            .hasSize((int) read.info(name).elements());
                }
            }
        } catch (FormatException refused) {
            assertThat(refused).hasMessageStartingWith(file.toString());
        }
    }

    @FuzzTest(maxDuration = "2m")
    void sentencePiece(byte[] input) throws Exception {
        Files.write(file, input);
        try {
            SentencePiece read = SentencePiece.read(file);
            assertThat(read.unknown()).isBetween(0, read.pieces().size() - 1);
        } catch (FormatException refused) {
            assertThat(refused).hasMessageStartingWith(file.toString());
        }
    }

    @FuzzTest(maxDuration = "2m")
    void onnx(byte[] input) throws Exception {
        Files.write(file, input);
        try (Onnx read = Onnx.open(file)) {
            assertThat(read.nodes().size() + read.names().size()).isLessThan(input.length);
            for (String name : read.names()) {
                assertThat(read.tensor(name).floats())
                        .hasSize((int) read.info(name).elements());
            }
        } catch (FormatException refused) {
            assertThat(refused).hasMessageStartingWith(file.toString());
        }
    }

    @FuzzTest(maxDuration = "2m")
    void npy(byte[] input) throws Exception {
        Files.write(file, input);
        try {
            TensorData read = Npy.read(file);
            Npy.write(file, read);
            TensorData again = Npy.read(file);
            assertThat(again.info()).isEqualTo(read.info());
            assertThat(again.bytes()).isEqualTo(read.bytes());
        } catch (FormatException refused) {
            assertThat(refused).hasMessageStartingWith(file.toString());
        }
    }

    @FuzzTest(maxDuration = "2m")
    void json(byte[] input) {
        try {
            JsonNode read = Json.parse("fuzz.json", input);
            String pretty = Json.pretty(read);
            JsonNode again = Json.parse("pretty.json", pretty);
            assertThat(again).isEqualTo(read);
            assertThat(Json.pretty(again)).isEqualTo(pretty);
            assertThat(Json.parse("compact.json", Json.compact(read))).isEqualTo(read);
        } catch (FormatException refused) {
            assertThat(refused).hasMessageStartingWith("fuzz.json");
        }
    }

    @FuzzTest(maxDuration = "2m")
    void fields(byte[] input) {
        try {
            Fields fields = Fields.of("fuzz.json", Json.parse("fuzz.json", input));
            for (String name : fields.names()) {
                for (Runnable read : List.<Runnable>of(
                        () -> fields.integerOrNull(name),
                        () -> fields.numberOrNull(name),
                        () -> fields.boolOrNull(name),
                        () -> fields.stringsOrNull(name),
                        () -> fields.integersOrNull(name),
                        () -> fields.choice(name, "", "a", "b"),
                        () -> fields.objectOrNull(name))) {
                    try {
                        read.run();
                    } catch (FormatException refused) {
                        assertThat(refused).hasMessageStartingWith("fuzz.json: " + name + " is ");
                    }
                }
            }
            fields.rejectUnread("Remove it.");
        } catch (FormatException refused) {
            assertThat(refused).hasMessageStartingWith("fuzz.json");
        }
    }
}
