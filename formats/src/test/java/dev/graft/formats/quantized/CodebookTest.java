package dev.graft.formats.quantized;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.FloatRange;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class CodebookTest {
    @Test
    void theDynamicTypeHas256LevelsFromMinusAlmostOneToOne() {
        float[] levels = Codebook.DYNAMIC.levels();
        assertThat(levels).hasSize(256).isSorted();
        assertThat(levels[255]).isEqualTo(1);
        assertThat(levels[0]).isEqualTo(-0.99296874f);
    }

    @Property(tries = 200)
    void theNearestLevelIsFound(@ForAll @FloatRange(min = -1, max = 1) float x) {
        for (Codebook codebook : new Codebook[] {Codebook.NF4, Codebook.FP4, Codebook.DYNAMIC}) {
            float found = codebook.levels()[codebook.nearest(x) & 0xff];
            for (float level : codebook.levels()) {
                assertThat(Math.abs(found - x)).isLessThanOrEqualTo(Math.abs(level - x) + 1e-7f);
            }
        }
    }

    @Property(tries = 100)
    void valuesAreOffByAtMostHalfTheWidestGapOfTheirBlock(
            @ForAll @Size(min = 1, max = 200) float[] values, @ForAll @IntRange(min = 1, max = 80) int block) {
        float[] finite = new float[values.length];
        for (int i = 0; i < finite.length; i++) {
            finite[i] = Math.max(-1e30f, Math.min(1e30f, values[i]));
        }
        Codebook.Blocks blocks = Codebook.NF4.quantize(finite, block);
        float[] restored = Codebook.NF4.dequantize(blocks.codes(), blocks.absmax(), block);
        for (int i = 0; i < finite.length; i++) {
            assertThat(restored[i]).isCloseTo(finite[i], within(blocks.absmax()[i / block] * 0.16f));
        }
    }

    @Test
    void anOddNumberOfCodesIsPackedWithTheCodeOfZeroBehind() {
        assertThat(Codebook.NF4.pack(new byte[] {1, 2, 15})).containsExactly(0x12, (byte) 0xf7);
        assertThat(Codebook.FP4.pack(new byte[] {3})).containsExactly(0x30);
    }

    @Test
    void scalesSurviveTheirOwnQuantisation() {
        float[] scales = new float[600];
        for (int i = 0; i < scales.length; i++) {
            scales[i] = 0.1f + 0.05f * (float) Math.sin(i);
        }
        NestedScales nested = NestedScales.of(scales, 256);
        assertThat(nested.absmax()).hasSize(3);
        float[] restored = nested.dequantize();
        for (int i = 0; i < scales.length; i++) {
            assertThat(restored[i]).isCloseTo(scales[i], within(0.002f));
        }
        assertThat(NestedScales.of(new float[0], 256).dequantize()).isEmpty();
    }

    @Test
    void rowsOfEightBitsReachTheirLargestValue() {
        Int8Rows rows = Int8Rows.quantize(new float[] {0.5f, -2, 1, 0, 0, 0}, 3);
        assertThat(rows.codes()).containsExactly(32, -127, 64, 0, 0, 0);
        assertThat(rows.absmax()).containsExactly(2, 0);
        float[] restored = rows.dequantize();
        assertThat(restored[1]).isEqualTo(-2);
        assertThat(Arrays.copyOfRange(restored, 3, 6)).containsOnly(0);
    }
}
