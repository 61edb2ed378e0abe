package dev.graft.tensor.ops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class DropoutTest {
    @ParameterizedTest
    @EnumSource(
            value = ScalarType.class,
            names = {"Float", "Double", "BFloat16"})
    @Retention(RetentionPolicy.RUNTIME)
    private @interface InEachType {}

    @InEachType
    void dropsTheShareAskedForAndScalesTheRest(ScalarType type) {
        try (Scope scope = new Scope()) {
            Dropout.seed(7, 1, 0);
            float[] mask = Tensors.floats(Dropout.mask(type, 0.25, 300, 401));
            int kept = 0;
            for (float value : mask) {
                if (value != 0) {
                    assertThat(value).isCloseTo(4 / 3f, within(0.005f));
                    kept++;
                }
            }
            assertThat(kept / (double) mask.length).isCloseTo(0.75, within(0.005));
        }
    }

    @Test
    void dependsOnSeedStepAndPartAlone() {
        try (Scope scope = new Scope()) {
            float[] first = drawn(7, 3, 1);
            drawn(1, 1, 1);
            assertThat(drawn(7, 3, 1)).isEqualTo(first);
            assertThat(drawn(8, 3, 1)).isNotEqualTo(first);
            assertThat(drawn(7, 4, 1)).isNotEqualTo(first);
            assertThat(drawn(7, 3, 2)).isNotEqualTo(first);
        }
    }

    @InEachType
    void dropsWhereSixteenBitsOfTheGeneratorAreBelowTheBound(ScalarType type) {
        try (Scope scope = new Scope()) {
            // Not the constant itself: what a tensor says.
            ScalarType said = Tensors.empty(type, 1).scalar_type();
            for (int count : new int[] {1, 6, 4 * 2048, 4 * 2048 + 3, 20_001}) {
                for (double p : new double[] {1e-9, 1 / 65536.0, 0.1, 0.5, 0.9999}) {
                    Dropout.seed(7, count, 0);
                    long state = Dropout.state();
                    float[] mask = Tensors.floats(Dropout.mask(said, p, count));
                    long after = Dropout.state();
                    for (int i = 0; i < count; i++) {
                        if (i % 4 == 0) {
                            state += 0x9e3779b97f4a7c15L;
                        }
                        boolean kept = (splitMix64(state) >>> 16 * (i % 4) & 0xffff) >= Math.round(p * 65536);
                        assertThat(mask[i] != 0).as("%s of %s, %s", i, count, p).isEqualTo(kept);
                    }
                    assertThat(after).isEqualTo(state);
                }
            }
        }
    }

    private static long splitMix64(long state) {
        long z = (state ^ state >>> 30) * 0xbf58476d1ce4e5b9L;
        z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
        return z ^ z >>> 31;
    }

    @Test
    void masksOfOneStepDiffer() {
        try (Scope scope = new Scope()) {
            Dropout.seed(7, 3, 0);
            float[] first = Tensors.floats(Dropout.mask(ScalarType.Float, 0.5, 64));
            assertThat(Tensors.floats(Dropout.mask(ScalarType.Float, 0.5, 64))).isNotEqualTo(first);
        }
    }

    @Test
    void drawsNormalNoiseOfTheStepAndNoneWhileItIsOff() {
        try (Scope scope = new Scope()) {
            Dropout.seed(7, 3, 1);
            float[] noise = Tensors.floats(Dropout.normal(200, 301));
            double sum = 0;
            double squares = 0;
            for (float value : noise) {
                sum += value;
                squares += value * value;
            }
            assertThat(sum / noise.length).isCloseTo(0, within(0.02));
            assertThat(squares / noise.length).isCloseTo(1, within(0.02));
            assertThat(Tensors.floats(Dropout.normal(200, 301))).isNotEqualTo(noise);
            Dropout.seed(7, 3, 1);
            assertThat(Tensors.floats(Dropout.normal(200, 301))).isEqualTo(noise);
            try (Dropout.Disabled disabled = Dropout.disabled()) {
                assertThat(Tensors.floats(Dropout.normal(4))).containsOnly(0);
            }
        }
    }

    private static float[] drawn(long seed, long step, int part) {
        Dropout.seed(seed, step, part);
        return Tensors.floats(Dropout.mask(ScalarType.Float, 0.5, 64));
    }
}
