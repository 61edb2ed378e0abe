package dev.graft.formats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NpyTest {

    private static final Path FOLDER = Fixtures.ROOT.resolve("npy");

    @TempDir
    Path folder;

    @Test
    void arraysOfNumPyHaveTheirValues() {
        TensorData matrix = Npy.read(FOLDER.resolve("matrix.npy"));
        assertThat(matrix.info()).isEqualTo(new TensorInfo("matrix", DType.F32, new long[] {2, 3}));
        assertThat(matrix.floats()).containsExactly(1.5f, -2, 3, 4, 5, 6e-8f);
        TensorData vector = Npy.read(FOLDER.resolve("vector.npy"));
        assertThat(vector.info().dtype()).isEqualTo(DType.I64);
        assertThat(vector.bytes().getLong(8)).isEqualTo(-(1L << 62));
        assertThat(Npy.read(FOLDER.resolve("scalar.npy")).bytes().getDouble(0)).isEqualTo(0.1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"matrix.npy", "vector.npy", "scalar.npy"})
    void writingGivesTheBytesOfNumPy(String name) {
        Path copy = folder.resolve(name);
        Npy.write(copy, Npy.read(FOLDER.resolve(name)));
        assertThat(copy).hasSameBinaryContentAs(FOLDER.resolve(name));
    }

    @Test
    void picklesAndColumnMajorArraysAreRefused() {
        assertThatThrownBy(() -> Npy.read(FOLDER.resolve("objects.npy")))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("objects.npy: has the type '|O', expected '<f8'");
        assertThatThrownBy(() -> Npy.read(FOLDER.resolve("fortran.npy"))).hasMessageContaining("column-major");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), } | needs 8 bytes, the file has 4",
                "{'descr': '>f4', 'fortran_order': False, 'shape': (1,), } | has the type '>f4'",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), } | header is not as NumPy writes it",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (1, , 1), } | expected whole numbers",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), } | expected whole numbers",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 2), } | more bytes than 63 bits",
                "{'descr': __import__('os') } | header is not as NumPy writes it"
            })
    void headersThatBreakARule(String header, String reason) {
        refused(npy(1, header.length(), header + "    "), reason);
    }

    @Test
    void filesThatAreNotNpyOrCutAreRefused() {
        refused(new byte[0], "this is not an npy file");
        refused("not an npy file".getBytes(StandardCharsets.UTF_8), "this is not an npy file");
        refused(npy(9, 4, "    "), "npy version 9");
        refused(npy(1, 60_000, "    "), "header length is 60000, expected at most 4");
    }

    private static byte[] npy(int version, int length, String rest) {
        return ("\u0093NUMPY" + (char) version + "\0" + (char) (length & 0xff) + (char) (length >> 8) + rest)
                .getBytes(StandardCharsets.ISO_8859_1);
    }

    private void refused(byte[] file, String reason) {
        Path path = Fixtures.write(folder.resolve("made.npy"), file);
        assertThatThrownBy(() -> Npy.read(path))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("made.npy: ")
                .hasMessageContaining(reason);
    }
}
