package dev.graft.formats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class SafetensorsTest {

    private static final Path TYPES = Fixtures.ROOT.resolve("safetensors/types.safetensors");

    @TempDir
    Path folder;

    static Stream<Path> filesOfTheReferenceLibrary() throws IOException {
        List<Path> files = new ArrayList<>(List.of(TYPES));
        try (Stream<Path> all = Files.walk(Fixtures.ROOT.resolve("malformed"))) {
            all.filter(path -> path.toString().endsWith(".safetensors"))
                    .filter(path ->
                            !SPOILT.contains(path.getParent().getFileName().toString()))
                    .sorted()
                    .forEach(files::add);
        }
        return files.stream();
    }

    private static final Set<String> SPOILT = Set.of("garbage-header", "trailing-bytes", "truncated", "zero-length");

    @ParameterizedTest
    @MethodSource("filesOfTheReferenceLibrary")
    void readingAndWritingAgainGivesTheSameBytes(Path file) {
        Path copy = folder.resolve("copy.safetensors");
        try (Safetensors read = Safetensors.open(file)) {
            List<TensorData> tensors = new ArrayList<>();
            for (String name : read.names()) {
                tensors.add(0, read.tensor(name));
            }
            Safetensors.write(copy, tensors, read.metadata());
        }
        assertThat(copy).hasSameBinaryContentAs(file);
    }

    @Test
    void damagedAdaptersAreRefusedWithTheReason() {
        assertRefused("garbage-header", "this is not a safetensors file");
        assertRefused("trailing-bytes", "the rest belongs to no tensor");
        assertRefused("truncated", "it is cut off");
        assertRefused("zero-length", "too small for a safetensors file: 0 bytes");
    }

    private static void assertRefused(String adapter, String reason) {
        Path file = Fixtures.ROOT.resolve("malformed").resolve(adapter).resolve("adapter_model.safetensors");
        assertThatThrownBy(() -> Safetensors.open(file))
                .isInstanceOf(FormatException.class)
                .hasMessageStartingWith(file.toString())
                .hasMessageContaining(reason);
    }

    @Test
    void valuesShapesAndTypesAreThoseOfTheFile() {
        Path file = folder.resolve("a.safetensors");
        ByteBuffer longs = ByteBuffer.allocate(16)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(-1)
                .putLong(1L << 62)
                .flip();
        Safetensors.write(
                file,
                List.of(
                        TensorData.of("w", new float[] {1, 2, 3, 4, 5, -6.5f}, 2, 3),
                        new TensorData(new TensorInfo("ids", DType.I64, new long[] {2}), longs)),
                Map.of("format", "pt", "epoch", "3"));
        try (Safetensors read = Safetensors.open(file)) {
            assertThat(read.names()).containsExactly("ids", "w");
            assertThat(read.info("w")).isEqualTo(new TensorInfo("w", DType.F32, new long[] {2, 3}));
            assertThat(read.tensor("w").floats()).containsExactly(1, 2, 3, 4, 5, -6.5f);
            assertThat(read.bytes("ids").getLong(8)).isEqualTo(1L << 62);
            assertThat(read.bytes("ids").isReadOnly()).isTrue();
            assertThat(read.metadata()).containsEntry("epoch", "3").containsEntry("format", "pt");
            ByteBuffer copied =
                    ByteBuffer.allocateDirect(30).order(ByteOrder.LITTLE_ENDIAN).position(3);
            read.read("w", copied);
            assertThat(copied.position()).isEqualTo(27);
            assertThat(copied.getFloat(23)).isEqualTo(-6.5f);
        }
    }

    @Property(tries = 50)
    void anyFloatsComeBackBitForBit(@ForAll @Size(max = 40) List<Float> values) throws IOException {
        float[] written = new float[values.size()];
        for (int i = 0; i < written.length; i++) {
            written[i] = values.get(i);
        }
        Path file = Files.createTempFile("graft", ".safetensors");
        try {
            Safetensors.write(file, List.of(TensorData.of("x", written, written.length)), Map.of());
            try (Safetensors read = Safetensors.open(file)) {
                assertThat(read.tensor("x").floats()).containsExactly(written);
            }
        } finally {
            Files.delete(file);
        }
    }

    @Test
    void anUnknownTensorIsRefusedWithTheNearestName() {
        try (Safetensors read = Safetensors.open(TYPES)) {
            assertThatThrownBy(() -> read.info("a.floatt32"))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("has no tensor \"a.floatt32\", did you mean \"a.float32\"?");
        }
    }

    @Test
    void aMissingFileIsBadInput() {
        assertThatThrownBy(() -> Safetensors.open(folder.resolve("no.safetensors")))
                .isInstanceOf(InputException.class)
                .hasMessageEndingWith("no.safetensors: there is no such file");
    }

    @Test
    void writingRefusesTwoTensorsOfOneName() {
        TensorData x = TensorData.of("x", new float[1], 1);
        assertThatThrownBy(() -> Safetensors.write(folder.resolve("x"), List.of(x, x), Map.of()))
                .hasMessageContaining("two tensors are called x");
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void aFileThatWasCutIsAnErrorAndNotACrash() throws IOException {
        Path file = folder.resolve("big.safetensors");
        Safetensors.write(file, List.of(TensorData.of("x", new float[100_000], 100_000)), Map.of());
        try (Safetensors read = Safetensors.open(file)) {
            try (RandomAccessFile cut = new RandomAccessFile(file.toFile(), "rw")) {
                cut.setLength(5000);
            }
            assertThatThrownBy(() -> read.bytes("x"))
                    .isInstanceOf(FormatException.class)
                    .hasMessageContaining("changed since it was opened: it had")
                    .hasMessageContaining("now has 5000");
            assertThatThrownBy(() -> read.read("x", ByteBuffer.allocate(400_000)))
                    .isInstanceOf(FormatException.class);
        }
    }

    @Test
    void aFileThatWasOverwrittenInPlaceIsRefusedAndOneReplacedByARenameIsNot() throws IOException {
        Path file = folder.resolve("x.safetensors");
        Safetensors.write(file, List.of(TensorData.of("x", new float[] {1}, 1)), Map.of());
        try (Safetensors old = Safetensors.open(file)) {
            Safetensors.write(file, List.of(TensorData.of("x", new float[] {2}, 1)), Map.of());
            assertThat(old.tensor("x").floats()).containsExactly(1);
        }
        try (Safetensors read = Safetensors.open(file)) {
            Files.setLastModifiedTime(file, FileTime.from(Instant.parse("2001-02-03T04:05:06Z")));
            assertThatThrownBy(() -> read.bytes("x")).hasMessageContaining("it was written to at 2001-02-03");
        }
    }

    @Test
    void aClosedFileSaysSo() {
        Safetensors read = Safetensors.open(TYPES);
        read.close();
        assertThatThrownBy(() -> read.bytes("a.float32"))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("is closed");
    }
}
