package dev.graft.eval.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

class AxisTest {

    @Test
    void linearTicksAreRoundAndEncloseTheData() {
        Axis axis = Axis.linear(0.33, 3.21, 0, 100, 5);
        assertThat(axis.ticks()).extracting(Axis.Tick::label).containsExactly("0", "1", "2", "3", "4");
        assertThat(axis.position(2)).isEqualTo(50);
    }

    @Test
    void ticksHaveAsManyDecimalsAsTheirStepNeeds() {
        assertThat(Axis.linear(-0.1, 0.15, 0, 1, 5).ticks())
                .extracting(Axis.Tick::label)
                .containsExactly("−0.10", "−0.05", "0.00", "0.05", "0.10", "0.15");
    }

    @Test
    void aConstantIsInTheMiddleOfItsAxis() {
        Axis axis = Axis.linear(7, 7, 0, 100, 5);
        assertThat(axis.low()).isLessThan(7);
        assertThat(axis.high()).isGreaterThan(7);
        assertThat(Axis.linear(0, 0, 0, 100, 4).position(0)).isCloseTo(50, within(1e-9));
    }

    @Test
    void logTicksAreDecadesOrOneTwoFive() {
        assertThat(Axis.log(0.21, 3.1, 0, 1).ticks())
                .extracting(Axis.Tick::label)
                .containsExactly("0.2", "0.5", "1", "2", "5");
        Axis wide = Axis.log(0.00002, 900, 0, 8);
        assertThat(wide.ticks())
                .extracting(Axis.Tick::label)
                .containsExactly("0.00001", "0.0001", "0.001", "0.01", "0.1", "1", "10", "100", "1000");
        assertThat(wide.position(1)).isCloseTo(5, within(1e-12));
    }

    @Test
    void aTightAxisEndsAtTheData() {
        Axis axis = Axis.tight(1, 300, 0, 299, 6);
        assertThat(axis.position(1)).isZero();
        assertThat(axis.position(300)).isEqualTo(299);
        assertThat(axis.ticks()).extracting(Axis.Tick::label).containsExactly("50", "100", "150", "200", "250", "300");
    }

    @Provide
    Arbitrary<Double> magnitudes() {
        return Arbitraries.integers().between(-300, 300).map(exponent -> Math.pow(10, exponent) * 1.7);
    }

    @Provide
    Arbitrary<Double> values() {
        Arbitrary<Double> signed = Arbitraries.integers().between(-1000, 1000).map(i -> i / 8.0);
        return Combinators.combine(signed, Arbitraries.integers().between(-300, 300))
                .as((digits, exponent) -> digits * Math.pow(10, exponent));
    }

    @Property(tries = 500)
    void everyValueHasAPlaceOnALinearAxis(@ForAll("values") double a, @ForAll("values") double b) {
        assertEncloses(Math.min(a, b), Math.max(a, b));
    }

    @Property(tries = 500)
    void neighbouringValuesHaveAPlaceOnALinearAxis(@ForAll("values") double a) {
        assertEncloses(a, Math.nextUp(a));
    }

    @Property(tries = 500)
    void everyPositiveValueHasAPlaceOnALogAxis(@ForAll("magnitudes") double a, @ForAll("magnitudes") double b) {
        double min = Math.min(a, b);
        double max = Math.max(a, b);
        Axis axis = Axis.log(min, max, 0, 100);
        assertThat(axis.position(min)).isBetween(-1e-6, 100 + 1e-6);
        assertThat(axis.position(max)).isBetween(axis.position(min), 100 + 1e-6);
        assertThat(axis.ticks()).hasSizeBetween(1, 12);
    }

    private static void assertEncloses(double min, double max) {
        Axis axis = Axis.linear(min, max, 0, 100, 5);
        assertThat(axis.position(min)).isBetween(-1e-6, 100 + 1e-6);
        assertThat(axis.position(max)).isBetween(axis.position(min), 100 + 1e-6);
        assertThat(axis.ticks()).hasSizeBetween(2, 12);
    }
}
