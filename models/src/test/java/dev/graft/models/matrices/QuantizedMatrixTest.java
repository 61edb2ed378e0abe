package dev.graft.models.matrices;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.GgmlType;
import dev.graft.formats.InputException;
import dev.graft.formats.quantized.AffineGroups;
import dev.graft.formats.quantized.Codebook;
import dev.graft.formats.quantized.Int8Rows;
import dev.graft.formats.quantized.NestedScales;
import dev.graft.tensor.Cpu;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.nio.ByteBuffer;
import java.util.Random;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class QuantizedMatrixTest {
    private Scope scope;

    @BeforeEach
    void open() {
        scope = new Scope();
    }

    @AfterEach
    void close() {
        scope.close();
    }

    private static Tensor normal(String name, long... shape) {
        return Rng.of(3, name).normal(0, 0.05, shape);
    }

    /** What the arrays of the formats room say that the codes stand for. */
    private static float[] reference(Quantization kind, Tensor w) {
        float[] values = Tensors.floats(w);
        if (kind == Quantization.INT8) {
            return Int8Rows.quantize(values, (int) w.size(1)).dequantize();
        }
        if (kind == Quantization.INT4) {
            return AffineGroups.quantize(values, GroupedInt4Matrix.GROUP).dequantize();
        }
        Codebook codebook = kind == Quantization.NF4 ? Codebook.NF4 : Codebook.FP4;
        Codebook.Blocks blocks = codebook.quantize(values, FourBitMatrix.BLOCK);
        float[] scales = NestedScales.of(blocks.absmax(), NestedScales.BLOCK).dequantize();
        return codebook.dequantize(blocks.codes(), scales, FourBitMatrix.BLOCK);
    }

    /** A bf16 number near 1 has steps of 1/128: an update of an eighth of that is lost where it is added to a rounded product. */
    @ParameterizedTest
    @EnumSource(names = {"NONE", "NF4", "INT8"})
    void whatAProductIsAddedToIsNotLostInItsRounding(Quantization kind) {
        Tensor w = normal("w", 512, 256);
        Tensor x = Ops.to(Rng.of(3, "x").normal(0, 1, 64, 256), ScalarType.BFloat16);
        Matrix matrix = kind == Quantization.NONE
                ? new DenseMatrix(Ops.to(w, ScalarType.BFloat16))
                : MatrixQuantizer.quantize(kind, w, ScalarType.BFloat16);
        double update = 1.0 / 1024;
        Tensor exact = Ops.to(x, ScalarType.Double)
                .matmul(Ops.to(matrix.values(), ScalarType.Double).t());
        Tensor sum = matrix.forward(x, null, Ops.plus(Tensors.zeros(ScalarType.BFloat16, 64, 512), update));
        double gained = Tensors.item(Ops.to(sum, ScalarType.Double).sub(exact).mean());
        assertThat(gained).isCloseTo(update, within(0.1 * update));
        Tensor rounded = Ops.plus(matrix.times(x, null), update);
        double afterwards =
                Tensors.item(Ops.to(rounded, ScalarType.Double).sub(exact).mean());
        assertThat(afterwards).as("added afterwards").isLessThan(0.7 * update);
    }

    @ParameterizedTest
    @CsvSource({
        "NF4, 4, 64",
        "NF4, 3, 5",
        "NF4, 1, 129",
        "NF4, 33, 48",
        "NF4, 700, 192",
        "FP4, 4, 64",
        "FP4, 33, 100",
        "INT8, 3, 5",
        "INT8, 700, 192",
        "INT8, 1, 1",
        "INT4, 1, 32",
        "INT4, 700, 192"
    })
    void aMatrixHasTheValuesOfItsCodesInEveryType(Quantization kind, long rows, long columns) {
        Tensor w = normal("w", rows, columns);
        float[] expected = reference(kind, w);
        for (ScalarType type : new ScalarType[] {ScalarType.Float, ScalarType.Double, ScalarType.BFloat16}) {
            Tensor values = MatrixQuantizer.quantize(kind, w, type).values();
            assertThat(values.scalar_type().value).isEqualTo(type.value);
            assertThat(Tensors.shape(values)).containsExactly(rows, columns);
            Tensor exact = Ops.to(Tensors.of(expected, rows, columns), type);
            assertThat(largest(values, exact)).isLessThan(type.value == ScalarType.BFloat16.value ? 1e-3 : 1e-7);
        }
    }

    private static double largest(Tensor a, Tensor b) {
        return Tensors.item(Ops.to(a, ScalarType.Double)
                .sub(Ops.to(b, ScalarType.Double))
                .abs()
                .max());
    }

    @ParameterizedTest
    @EnumSource(
            value = Quantization.class,
            names = {"NF4", "FP4", "INT8"})
    void itsBf16ValuesAreRoundedToNearest(Quantization kind) {
        Tensor w = normal("rounded", 96, 80);
        Tensor once = MatrixQuantizer.quantize(kind, w, ScalarType.BFloat16).values();
        Tensor twice =
                Ops.to(MatrixQuantizer.quantize(kind, w, ScalarType.Float).values(), ScalarType.BFloat16);
        assertThat(largest(once, twice)).isZero();
    }

    @ParameterizedTest
    @EnumSource(
            value = Quantization.class,
            names = {"NF4", "FP4", "INT8"})
    void decodingChangesNothing(Quantization kind) {
        QuantizedMatrix matrix = MatrixQuantizer.quantize(kind, normal("again", 40, 64), ScalarType.Float);
        Tensor first = matrix.values();
        assertThat(largest(first, matrix.values())).isZero();
    }

    @ParameterizedTest
    @CsvSource({"NF4, 2111, 2064", "NF4, 30, 24", "INT8, 30, 24", "INT4, 2111, 2048", "INT4, 30, 96"})
    void productsAreThoseWithTheValuesTileByTile(Quantization kind, long rows, long columns) {
        QuantizedMatrix matrix = MatrixQuantizer.quantize(kind, normal("tiles", rows, columns), ScalarType.Float);
        Tensor w = matrix.values();
        Tensor x = normal("x", 2, 3, columns);
        Tensor bias = normal("bias", rows);
        assertThat(largest(matrix.times(x, bias), Ops.linear(x, w, bias))).isLessThan(1e-5);
        assertThat(largest(matrix.times(x, null), Ops.linear(x, w, null))).isLessThan(1e-5);
        Tensor g = normal("g", 4, rows);
        Tensor sum = normal("sum", 4, columns);
        Tensor expected = g.matmul(w);
        assertThat(largest(matrix.backward(g, null), expected)).isLessThan(1e-5);
        assertThat(largest(matrix.backward(g, sum.clone()), expected.add(sum))).isLessThan(1e-5);
    }

    @Test
    void autogradFindsTheGradientOfX() {
        QuantizedMatrix matrix = MatrixQuantizer.quantize(Quantization.NF4, normal("w", 24, 32), ScalarType.Float);
        Tensor x = normal("x", 5, 32).set_requires_grad(true);
        Tensor y = matrix.times(x, null);
        y.sum().backward();
        Tensor ones = Tensors.ones(ScalarType.Float, 5, 24);
        assertThat(largest(x.grad(), matrix.backward(ones, null))).isLessThan(1e-6);
    }

    @ParameterizedTest
    @CsvSource({"NF4, 0.516", "FP4, 0.516", "INT8, 1.007", "INT4, 0.75"})
    void aValueTakesTheBytesThatTheKindPromises(Quantization kind, double bytes) {
        QuantizedMatrix matrix = MatrixQuantizer.quantize(kind, normal("size", 512, 576), ScalarType.BFloat16);
        assertThat((double) matrix.bytes() / (512 * 576)).isCloseTo(bytes, within(1e-3));
    }

    private static Tensor repeated(Tensor groups, int times) {
        return groups.repeat_interleave(times, new LongOptional(1), new LongOptional());
    }

    @Test
    void aGroupTakesUpWhatIsTheSameForAllOfIt() {
        GroupedInt4Matrix matrix =
                (GroupedInt4Matrix) MatrixQuantizer.quantize(Quantization.INT4, normal("w", 6, 64), ScalarType.Float);
        Tensor groups = normal("delta", 6, 2);
        Tensor delta = repeated(groups, 32);
        GroupedInt4Matrix sum = matrix.plus(delta);
        assertThat(sum).isNotNull();
        assertThat(sum.codes().equal(matrix.codes())).isTrue();
        assertThat(largest(sum.values(), matrix.values().add(delta))).isLessThan(1e-7);
        assertThat(matrix.plus(repeated(normal("finer", 6, 4), 16))).isNull();
        assertThat(MatrixQuantizer.quantize(Quantization.NF4, normal("w", 6, 64), ScalarType.Float)
                        .plus(delta))
                .isNull();
    }

    @Test
    void int4RefusesRowsThatAreNoWholeGroups() {
        assertThatThrownBy(() -> MatrixQuantizer.quantize(Quantization.INT4, normal("w", 4, 48), ScalarType.Float))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("rows of 48");
    }

    @Test
    void rowsOfZerosStayZero() {
        Tensor w = normal("w", 4, 64);
        w.narrow(0, 1, 2).mul_(new Scalar(0));
        for (Quantization kind :
                new Quantization[] {Quantization.NF4, Quantization.FP4, Quantization.INT8, Quantization.INT4}) {
            Tensor zeros =
                    MatrixQuantizer.quantize(kind, w, ScalarType.Float).values().narrow(0, 1, 2);
            assertThat(Tensors.item(zeros.abs().max())).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = GgmlType.class,
            names = {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"})
    void blocksOfGgufHaveTheirValues(GgmlType type) {
        int columns = 512;
        int rows = 130;
        byte[] blocks = new byte[rows * columns / type.blockElements() * type.blockBytes()];
        new Random(5).nextBytes(blocks);
        for (int i = 1; i < blocks.length; i++) {
            blocks[i] &= 0x3f; // no infinities among the scales
        }
        float[] expected = new float[rows * columns];
        type.decode(blocks, expected);
        GgmlMatrix matrix = new GgmlMatrix(
                type,
                rows,
                columns,
                ScalarType.Float,
                Tensors.of(ByteBuffer.wrap(blocks), ScalarType.Byte, blocks.length));
        assertThat(Tensors.floats(matrix.values())).containsExactly(expected);
        Tensor some = Tensors.empty(ScalarType.Float, 2, columns);
        matrix.decode(7, some);
        assertThat(largest(some, matrix.values().narrow(0, 7, 2))).isZero();
    }

    /** x is rounded to bf16 in both; values are in fp32 for the exact product. */
    @ParameterizedTest
    @EnumSource(
            value = GgmlType.class,
            names = {"Q4_0", "Q4_1", "Q8_0"})
    void packedBlocksOfGgufGiveTheProductsOfTheirValuesButForRounding(GgmlType type) {
        int columns = 512;
        int rows = 144;
        byte[] blocks = new byte[rows * columns / type.blockElements() * type.blockBytes()];
        new Random(6).nextBytes(blocks);
        int scales = type == GgmlType.Q4_1 ? 4 : 2;
        for (int i = 0; i < blocks.length; i++) {
            if (i % type.blockBytes() < scales && i % 2 == 1) {
                blocks[i] = (byte) (i % type.blockBytes() < 2 ? 0x24 : 0xb0); // about 0.016 and -0.125
            }
        }
        GgmlMatrix matrix = new GgmlMatrix(
                type,
                rows,
                columns,
                ScalarType.BFloat16,
                Tensors.of(ByteBuffer.wrap(blocks), ScalarType.Byte, blocks.length));
        Tensor exact = Tensors.empty(ScalarType.Float, rows, columns);
        matrix.decode(0, exact);
        Tensor x = Ops.to(normal("few", 8, 1, columns), ScalarType.BFloat16);
        Tensor expected = Ops.to(x, ScalarType.Double)
                .matmul(Ops.to(exact, ScalarType.Double).t());
        MatrixPacking.pack(matrix);
        assertThat(matrix.isPacked()).isEqualTo(Cpu.hasBf16() && type != GgmlType.Q8_0);
        Tensor y = Ops.to(matrix.times(x, null), ScalarType.Double);
        assertThat(Tensors.item(y.sub(expected).norm().div(expected.norm()))).isLessThan(0.004);
    }
}
