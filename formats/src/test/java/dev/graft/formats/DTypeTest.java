package dev.graft.formats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class DTypeTest {

    @ParameterizedTest
    @CsvSource({
        "F16, 0x3c00, 1",
        "F16, 0x3555, 0.33325195",
        "F16, 0x0001, 5.9604645E-8",
        "F16, 0x03ff, 6.097555E-5",
        "F16, 0x7bff, 65504",
        "F16, 0xfc00, -Infinity",
        "F16, 0x7e00, NaN",
        "F16, 0x8000, -0",
        "BF16, 0x3f80, 1",
        "BF16, 0xc000, -2",
        "BF16, 0x7f80, Infinity",
        "BF16, 0x0001, 9.18355E-41",
        "F8_E4M3, 0x38, 1",
        "F8_E4M3, 0x7e, 448",
        "F8_E4M3, 0x01, 0.001953125",
        "F8_E4M3, 0x7f, NaN",
        "F8_E4M3, 0xff, NaN",
        "F8_E5M2, 0x3c, 1",
        "F8_E5M2, 0x7b, 57344",
        "F8_E5M2, 0x01, 1.5258789E-5",
        "F8_E5M2, 0x7c, Infinity",
        "F8_E5M2, 0x7d, NaN"
    })
    void codesHaveTheirValues(DType type, String code, float value) {
        ByteBuffer bytes = ByteBuffer.allocate(2).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putShort(0, (short) (int) Integer.decode(code));
        assertThat(type.toFloats(bytes.limit(type.bytes()))).containsExactly(value);
    }

    @ParameterizedTest
    @CsvSource({
        // halfway between two codes goes to the even one, a bit more goes up
        "F16, 1.00048828125, 0x3c00",
        "F16, 1.0004884, 0x3c01",
        "F16, 1.00146484375, 0x3c02",
        "F16, 65519.9, 0x7bff",
        "F16, 65520, 0x7c00",
        "F16, 2.9802322E-8, 0x0000",
        "F16, 2.9802326E-8, 0x0001",
        "F16, 6.1020e-5, 0x0400",
        "F16, -1e9, 0xfc00",
        "BF16, 1.00390625, 0x3f80",
        "BF16, 1.01171875, 0x3f82",
        "BF16, 3.4028235E38, 0x7f80",
        "F8_E4M3, 464, 0x7e",
        "F8_E4M3, 465, 0x7f",
        "F8_E4M3, -1.0625, 0xb8",
        "F8_E4M3, 0.0009765625, 0x00",
        "F8_E4M3, 0.001, 0x01",
        "F8_E5M2, 61439, 0x7b",
        "F8_E5M2, 61440, 0x7c",
        "F8_E5M2, 1.125, 0x3c",
        "F8_E5M2, 1.375, 0x3e"
    })
    void roundingIsToNearestTiesToEven(DType type, float value, String code) {
        ByteBuffer bytes = type.fromFloats(new float[] {value});
        int actual = type.bytes() == 1 ? bytes.get(0) & 0xff : bytes.getShort(0) & 0xffff;
        assertThat(actual).isEqualTo(Integer.decode(code));
    }

    @ParameterizedTest
    @EnumSource(names = {"F16", "BF16", "F8_E4M3", "F8_E5M2"})
    void everyCodeThatIsANumberSurvivesTheWayThroughFloat(DType type) {
        int codes = 1 << 8 * type.bytes();
        ByteBuffer all = ByteBuffer.allocate(codes * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        for (int code = 0; code < codes; code++) {
            if (type.bytes() == 1) {
                all.put((byte) code);
            } else {
                all.putShort((short) code);
            }
        }
        float[] values = type.toFloats(all.flip());
        assertThat(type.toFloats(type.fromFloats(values))).containsExactly(values);
    }

    @Property
    void roundingNeverMissesANearerNeighbour(@ForAll float value) {
        for (DType type : new DType[] {DType.F16, DType.BF16, DType.F8_E4M3, DType.F8_E5M2}) {
            float rounded = type.toFloats(type.fromFloats(new float[] {value}))[0];
            if (Float.isFinite(rounded)) {
                ByteBuffer code = type.fromFloats(new float[] {value});
                for (int step : new int[] {-1, 1}) {
                    ByteBuffer neighbour = ByteBuffer.allocate(2).order(ByteOrder.LITTLE_ENDIAN);
                    if (type.bytes() == 1) {
                        neighbour.put(0, (byte) (code.get(0) + step));
                    } else {
                        neighbour.putShort(0, (short) (code.getShort(0) + step));
                    }
                    float other = type.toFloats(neighbour.limit(type.bytes()))[0];
                    if (Float.isFinite(other)) {
                        assertThat(Math.abs((double) rounded - value))
                                .isLessThanOrEqualTo(Math.abs((double) other - value));
                    }
                }
            }
        }
    }

    @Test
    void integersAndDoublesBecomeTheNearestFloats() {
        ByteBuffer longs = ByteBuffer.allocate(16)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(-3)
                .putLong(1L << 40)
                .flip();
        assertThat(DType.I64.toFloats(longs)).containsExactly(-3, 0x1p40f);
        assertThat(DType.U8.toFloats(ByteBuffer.wrap(new byte[] {-1, 1}))).containsExactly(255, 1);
        assertThat(DType.I8.toFloats(ByteBuffer.wrap(new byte[] {-1, 1}))).containsExactly(-1, 1);
        assertThat(DType.F64.toFloats(DType.F64.fromFloats(new float[] {0.1f}))).containsExactly(0.1f);
    }

    @Test
    void unknownNamesAreRefusedWithTheKnownOnes() {
        assertThat(DType.of("BF16")).isEqualTo(DType.BF16);
        assertThatThrownBy(() -> DType.of("bf16"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("dtype \"bf16\" is not supported, expected one of F64, F32, F16, BF16");
        assertThatThrownBy(() -> DType.I8.fromFloats(new float[1])).isInstanceOf(IllegalArgumentException.class);
    }
}
