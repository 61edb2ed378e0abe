package dev.graft.eval.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ComparisonTest {

    private static List<ClassPrediction> rows(int count, double right, long seed) {
        Random random = new Random(seed);
        List<ClassPrediction> rows = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            rows.add(new ClassPrediction(0, random.nextDouble() < right ? 0 : 1));
        }
        return rows;
    }

    @Test
    void aLargeDifferenceIsFoundAndNoneIsNot() {
        Bootstrap bootstrap = new Bootstrap(500, 0.95, 3);
        List<ClassPrediction> good = rows(300, 0.9, 1);
        List<ClassPrediction> poor = rows(300, 0.6, 2);

        Bootstrap.Difference difference = bootstrap.difference(good, poor, Accuracy::new);
        assertThat(difference.difference()).isCloseTo(0.3, within(0.1));
        assertThat(difference.interval().low()).isPositive();
        assertThat(difference.pValue()).isLessThan(0.01);
        Bootstrap.Difference none = bootstrap.difference(good, good, Accuracy::new);
        assertThat(none.difference()).isZero();
        assertThat(none.pValue()).isEqualTo(1);
    }

    @Test
    void pairedRowsMakeASmallerIntervalThanTwoSeparateOnes() {
        Bootstrap bootstrap = new Bootstrap(500, 0.95, 3);
        List<ClassPrediction> first = rows(300, 0.7, 1);
        List<ClassPrediction> second = new ArrayList<>(first);
        second.set(0, new ClassPrediction(0, 1));
        Bootstrap.Interval alone = bootstrap.interval(first, Accuracy::new);
        Bootstrap.Interval paired =
                bootstrap.difference(first, second, Accuracy::new).interval();

        assertThat(paired.high() - paired.low()).isLessThan((alone.high() - alone.low()) / 4);
    }

    @Test
    void modelsThatSawDifferentRowsAreNotCompared() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Bootstrap(10, 0.9, 1).difference(rows(3, 1, 1), rows(4, 1, 1), Accuracy::new))
                .withMessageContaining("3 and 4");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> McNemar.of(new boolean[2], new boolean[3]))
                .withMessageContaining("2 rows, the other 3");
    }

    @Test
    void mcNemarLooksOnlyAtRowsThatOneModelGetsRight() {
        assertThat(McNemar.of(new boolean[] {true, true, false, false}, new boolean[] {true, false, true, false}))
                .isEqualTo(new McNemar(1, 1));
        assertThat(new McNemar(0, 0).pValue()).isEqualTo(1);
    }

    @Test
    void rowsThatCannotBeScoredAreRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new ProbabilityPrediction(0, new double[] {0.5, 0.6}))
                .withMessageContaining("sum to 1.1");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new ProbabilityPrediction(2, new double[] {0.5, 0.5}))
                .withMessageContaining("label 2");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Ranking.Row(new double[] {1}, new double[] {0}))
                .withMessageContaining("no relevant candidate");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new PassAtK(3).update(new PassAtK.Row(2, 1)))
                .withMessageContaining("at least 3");
        assertThatIllegalArgumentException().isThrownBy(() -> new PassAtK.Row(2, 3));
        assertThatIllegalArgumentException().isThrownBy(() -> new Segmentation.Row(new int[2], new int[3]));
    }

    @Test
    void aSureModelThatIsOftenWrongIsBadlyCalibrated() {
        Calibration calibration = new Calibration(15);
        for (int i = 0; i < 10; i++) {
            calibration.update(new ProbabilityPrediction(i % 2, new double[] {1, 0}));
        }

        assertThat(calibration.value()).isEqualTo(0.5);
        assertThat(calibration.values()).containsOnlyKeys("ece", "log_loss", "brier");
    }

    @Test
    void recallAtAFalsePositiveRateIsThatOfTheLastThresholdWithinIt() {
        Roc roc = Roc.of(new double[] {0.9, 0.8, 0.7, 0.6}, new boolean[] {true, false, true, false});

        assertThat(roc.truePositiveRateAt(0)).isEqualTo(0.5);
        assertThat(roc.truePositiveRateAt(0.5)).isEqualTo(1);
    }

    @Test
    void bitsPerByteDependOnTheTextAndNotOnTokens() {
        BitsPerByte bits = new BitsPerByte();
        bits.update(new BitsPerByte.Row(8 * Math.log(2), 4));

        assertThat(bits.value()).isCloseTo(2, within(1e-12));
    }
}
