package dev.graft.formats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

class TensorInfoTest {

    @Test
    void equalityIsByValue() {
        TensorInfo info = new TensorInfo("w", DType.F16, new long[] {2, 3});
        assertThat(info)
                .isEqualTo(new TensorInfo("w", DType.F16, new long[] {2, 3}))
                .hasSameHashCodeAs(new TensorInfo("w", DType.F16, new long[] {2, 3}))
                .isNotEqualTo(new TensorInfo("w", DType.F16, new long[] {3, 2}))
                .isNotEqualTo(new TensorInfo("w", DType.BF16, new long[] {2, 3}))
                .isNotEqualTo(new TensorInfo("v", DType.F16, new long[] {2, 3}))
                .hasToString("w F16 [2, 3]");
        assertThat(info.elements()).isEqualTo(6);
        assertThat(info.bytes()).isEqualTo(12);
        assertThat(new TensorInfo("s", DType.F64, new long[0]).bytes()).isEqualTo(8);
    }

    @Test
    void theShapeCannotBeChangedFromOutside() {
        long[] shape = {2, 3};
        TensorInfo info = new TensorInfo("w", DType.F32, shape);
        shape[0] = 7;
        info.shape()[1] = 7;
        assertThat(info.shape()).containsExactly(2, 3);
    }

    @Test
    void sizesThatCannotBeAreRefused() {
        assertThatThrownBy(() -> new TensorInfo("w", DType.F32, new long[] {2, -1}))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("tensor w has a negative size in [2, -1]");
        assertThatThrownBy(() -> new TensorInfo("w", DType.I8, new long[] {1L << 32, 1L << 31}))
                .isInstanceOf(ArithmeticException.class);
        assertThat(new TensorInfo("w", DType.I8, new long[] {Long.MAX_VALUE}).bytes())
                .isEqualTo(Long.MAX_VALUE);
        assertThat(new TensorInfo("w", DType.F64, new long[] {Long.MAX_VALUE, 0}).bytes())
                .isZero();
    }

    @Test
    void dataOfTheWrongLengthIsRefused() {
        TensorInfo info = new TensorInfo("w", DType.F32, new long[] {2});
        assertThatThrownBy(() -> new TensorData(info, ByteBuffer.allocate(7)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("w F32 [2] needs 8 bytes, 7 were given");
    }
}
