package dev.graft.eval.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.graft.eval.metrics.detection.Box;
import dev.graft.eval.metrics.detection.CocoAp;
import dev.graft.eval.metrics.spans.SpanF1;
import dev.graft.eval.metrics.spans.TagScheme;
import dev.graft.eval.metrics.text.Bleu;
import dev.graft.eval.metrics.text.ChrF;
import dev.graft.eval.metrics.text.ErrorRate;
import dev.graft.eval.metrics.text.Rouge;
import dev.graft.eval.metrics.text.SquadScore;
import dev.graft.eval.metrics.text.Ter;
import dev.graft.eval.metrics.text.VqaAccuracy;
import java.util.BitSet;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class MetricsTest {

    static Stream<Metric<?>> all() {
        return Stream.of(
                new Accuracy(),
                new PrecisionRecallF1(2, Average.BINARY),
                new PrecisionRecallF1(3, Average.MACRO),
                new Matthews(3),
                new MultiLabelF1(3, Average.MICRO),
                new ExactMatch(),
                new HammingLoss(3),
                MeanError.squared(),
                MeanError.absolute(),
                MeanError.rootSquared(),
                new RSquared(),
                new Pearson(),
                new Spearman(),
                new Perplexity(),
                new TokenAccuracy(),
                new KendallTau(),
                new Auroc(),
                new Calibration(15),
                new Ranking(List.of(10)),
                new Segmentation(3),
                new PassAtK(1),
                new BitsPerByte(),
                new SpanF1(TagScheme.LENIENT),
                new CocoAp<Box>(),
                new SquadScore(),
                new Bleu(),
                ChrF.characters(),
                new Ter(),
                new Rouge(true),
                ErrorRate.ofWords(),
                new VqaAccuracy());
    }

    @ParameterizedTest
    @MethodSource("all")
    void noRowsIsRefusedRatherThanScored(Metric<?> metric) {
        assertThatExceptionOfType(NoRowsException.class)
                .isThrownBy(metric::value)
                .withMessageContaining(metric.name());
        assertThatExceptionOfType(NoRowsException.class).isThrownBy(metric::values);
    }

    @Test
    void errorsAndPerplexityAndHammingLossAreBetterWhenLower() {
        assertThat(all().filter(metric -> !metric.higherIsBetter()).map(Metric::name))
                .containsExactly(
                        "hamming_loss", "mse", "mae", "rmse", "perplexity", "ece", "bits_per_byte", "ter", "wer");
    }

    @Test
    void aClassThatNeverOccursCountsAsZeroInTheMacroAverageAndNotInTheWeightedOne() {
        var macro = new PrecisionRecallF1(4, Average.MACRO);
        var weighted = new PrecisionRecallF1(4, Average.WEIGHTED);
        for (int label : new int[] {0, 1}) {
            macro.update(new ClassPrediction(label, label));
            weighted.update(new ClassPrediction(label, label));
        }
        assertThat(macro.value()).isEqualTo(0.5);
        assertThat(weighted.value()).isEqualTo(1);
    }

    @Test
    void oneClassAloneIsRightWithoutCorrelation() {
        var confusion = new ConfusionMatrix(1);
        confusion.add(new ClassPrediction(0, 0));
        assertThat(confusion.accuracy()).isEqualTo(1);
        assertThat(confusion.matthews()).isZero();
        assertThat(confusion.scores(Average.MACRO)).isEqualTo(new ClassScores(1, 1, 1));
    }

    @Test
    void oneClassAgainstTheRest() {
        var confusion = new ConfusionMatrix(3);
        int[][] rows = {{0, 0}, {0, 1}, {1, 1}, {1, 1}, {2, 1}, {2, 2}};
        for (int[] row : rows) {
            confusion.add(new ClassPrediction(row[0], row[1]));
        }
        assertThat(confusion.scores(1)).isEqualTo(new ClassScores(0.5, 1, 4 / 6.0));
        assertThat(confusion.counts()).isDeepEqualTo(new long[][] {{1, 1, 0}, {0, 2, 0}, {0, 1, 1}});
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 3, Integer.MIN_VALUE, Integer.MAX_VALUE})
    void aClassOutOfRangeIsRefusedAndNotCounted(int bad) {
        var confusion = new ConfusionMatrix(3);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> confusion.add(new ClassPrediction(0, bad)))
                .withMessage("prediction " + bad + " is no class, expected 0 to 2");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> confusion.add(new ClassPrediction(bad, 0)))
                .withMessage("label " + bad + " is no class, expected 0 to 2");
        assertThat(confusion.total()).isZero();
    }

    @Test
    void theBinaryAverageNeedsTwoClasses() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new PrecisionRecallF1(3, Average.BINARY))
                .withMessageContaining("got 3");
        assertThatIllegalArgumentException().isThrownBy(() -> new MultiLabelF1(3, Average.BINARY));
    }

    /** Expected values from scikit-learn 1.9.1; the last label never holds, the first row is empty on both sides. */
    private static final int[][][] LABEL_SETS = {
        {{0, 0, 0, 0}, {0, 0, 0, 0}},
        {{1, 1, 1, 0}, {1, 1, 1, 1}},
        {{1, 0, 0, 0}, {0, 0, 0, 1}},
        {{1, 0, 0, 0}, {1, 1, 0, 0}},
        {{1, 0, 0, 0}, {0, 0, 0, 1}},
        {{0, 1, 0, 0}, {0, 0, 0, 0}},
        {{0, 0, 1, 0}, {0, 1, 1, 1}},
    };

    @ParameterizedTest
    @EnumSource(value = Average.class, names = "BINARY", mode = EnumSource.Mode.EXCLUDE)
    void multiLabelScoresEqualTheReference(Average average) {
        double[] expected = switch (average) {
            case MICRO -> new double[] {0.45454545454545453, 0.625, 0.5263157894736842};
            case MACRO -> new double[] {0.5833333333333333, 0.5, 0.5166666666666666};
            default -> new double[] {0.8333333333333334, 0.625, 0.6833333333333333};
        };
        var metric = new MultiLabelF1(4, average);
        labelSets().forEach(metric::update);
        var values = List.copyOf(metric.values().values());
        for (int i = 0; i < 3; i++) {
            assertThat(values.get(i)).isCloseTo(expected[i], within(1e-12));
        }
    }

    @Test
    void exactMatchAndHammingLossEqualTheReference() {
        var metrics = MetricSet.multiLabel(4);
        labelSets().forEach(metrics::update);
        assertThat(metrics.values().get("exact_match")).isCloseTo(0.14285714285714285, within(1e-12));
        assertThat(metrics.values().get("hamming_loss")).isCloseTo(0.32142857142857145, within(1e-12));
    }

    @Test
    void aLabelBeyondTheDeclaredOnesIsRefused() {
        var row = LabelSetPrediction.of(new boolean[] {false, false}, new boolean[] {false, true});
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new MultiLabelF1(1, Average.MICRO).update(row))
                .withMessage("label 1 does not exist, expected 0 to 0");
        assertThatIllegalArgumentException().isThrownBy(() -> new HammingLoss(1).update(row));
        assertThatIllegalArgumentException().isThrownBy(() -> LabelSetPrediction.of(new boolean[2], new boolean[3]));
    }

    @Test
    void aLabelSetRowDoesNotChangeAfterwards() {
        BitSet labels = new BitSet();
        var row = new LabelSetPrediction(labels, new BitSet());
        labels.set(0);
        row.labels().set(1);
        assertThat(row.labels().isEmpty()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY})
    void numbersThatAreNotFiniteAreRefused(double bad) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new ValuePrediction(0, bad))
                .withMessage("prediction is " + bad + ", expected a finite number");
        assertThatIllegalArgumentException().isThrownBy(() -> new ValuePrediction(bad, 0));
        assertThatIllegalArgumentException().isThrownBy(() -> new TokenScores(bad, 1, 1));
    }

    @Test
    void correlationWithAConstantIsUndefined() {
        var pearson = new Pearson();
        var spearman = new Spearman();
        for (double prediction : new double[] {1, 2, 3}) {
            pearson.update(new ValuePrediction(0.1, prediction));
            spearman.update(new ValuePrediction(0.1, prediction));
        }
        assertThat(pearson.value()).isNaN();
        assertThat(spearman.value()).isNaN();
    }

    @Test
    void rSquaredOfAConstantTargetIsOneIfExactElseZeroAndUndefinedForOneRow() {
        var exact = new RSquared();
        var off = new RSquared();
        exact.update(new ValuePrediction(0.1, 0.1));
        assertThat(exact.value()).isNaN();
        exact.update(new ValuePrediction(0.1, 0.1));
        off.update(new ValuePrediction(0.1, 0.1));
        off.update(new ValuePrediction(0.1, 0.2));
        assertThat(exact.value()).isEqualTo(1);
        assertThat(off.value()).isZero();
    }

    @Test
    void aLargeMeanDoesNotDrownTheSpread() {
        var metrics = MetricSet.regression();
        for (int i = 0; i < 5; i++) {
            metrics.update(new ValuePrediction(1e9 + i, 1e9 + i + (i % 2)));
        }
        assertThat(metrics.values().get("pearson")).isCloseTo(0.944911182523068, within(1e-7));
        assertThat(metrics.values().get("r2")).isCloseTo(0.8, within(1e-7));
    }

    @Test
    void perplexityWeighsTokensNotBatches() {
        var metrics = MetricSet.languageModel();
        metrics.update(new TokenScores(Math.log(2), 1, 1));
        metrics.update(new TokenScores(9 * Math.log(8), 9, 3));
        metrics.update(new TokenScores(0, 0, 0));
        assertThat(metrics.values().get("perplexity")).isCloseTo(Math.pow(2, 2.8), within(1e-12));
        assertThat(metrics.values().get("token_accuracy")).isEqualTo(0.4);
    }

    @Test
    void contradictoryTokenCountsAreRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new TokenScores(1, 2, 3))
                .withMessage("3 correct of 2 tokens, expected 0 <= correct <= tokens");
        assertThatIllegalArgumentException().isThrownBy(() -> new TokenScores(1, -1, 0));
    }

    @Test
    void aSetNamesItsMetricsInOrder() {
        var metrics = MetricSet.classification(2);
        metrics.update(new ClassPrediction(1, 1));
        assertThat(metrics.values())
                .containsOnlyKeys(
                        "accuracy",
                        "precision",
                        "recall",
                        "f1",
                        "macro_precision",
                        "macro_recall",
                        "macro_f1",
                        "weighted_precision",
                        "weighted_recall",
                        "weighted_f1",
                        "matthews");
        assertThat(MetricSet.classification(3).metric("macro_f1").higherIsBetter())
                .isTrue();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> metrics.metric("f2"))
                .withMessageContaining("\"f2\"")
                .withMessageContaining("macro_f1");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new MetricSet<>(List.of(new Accuracy(), new Accuracy())))
                .withMessageContaining("accuracy");
    }

    @Test
    void theBootstrapIntervalAgreesWithTheNormalApproximation() {
        List<ClassPrediction> rows = IntStream.range(0, 400)
                .mapToObj(i -> new ClassPrediction(0, i % 4 == 0 ? 1 : 0))
                .toList();
        var interval = new Bootstrap(2000, 0.95, 7).interval(rows, Accuracy::new);
        double half = 1.96 * Math.sqrt(0.75 * 0.25 / 400);
        assertThat(interval.low()).isCloseTo(0.75 - half, within(0.006));
        assertThat(interval.high()).isCloseTo(0.75 + half, within(0.006));
    }

    @Test
    void theBootstrapIsSeededAndNarrowsWithLessConfidence() {
        List<ClassPrediction> rows = IntStream.range(0, 60)
                .mapToObj(i -> new ClassPrediction(0, i % 3))
                .toList();
        var interval = new Bootstrap(200, 0.9, 1).interval(rows, Accuracy::new);
        assertThat(new Bootstrap(200, 0.9, 1).interval(rows, Accuracy::new)).isEqualTo(interval);
        assertThat(new Bootstrap(200, 0.9, 2).interval(rows, Accuracy::new)).isNotEqualTo(interval);
        var narrow = new Bootstrap(200, 0.5, 1).interval(rows, Accuracy::new);
        assertThat(narrow.high() - narrow.low()).isLessThan(interval.high() - interval.low());
    }

    @Test
    void theBootstrapRefusesWhatItCannotDo() {
        assertThatIllegalArgumentException().isThrownBy(() -> new Bootstrap(0, 0.9, 1));
        assertThatIllegalArgumentException().isThrownBy(() -> new Bootstrap(1, 1, 1));
        assertThatIllegalArgumentException().isThrownBy(() -> new Bootstrap(1, Double.NaN, 1));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Bootstrap(1, 0.9, 1).interval(List.of(), Accuracy::new));
        var constant = List.of(new ValuePrediction(1, 1), new ValuePrediction(1, 2));
        assertThat(new Bootstrap(10, 0.9, 1).interval(constant, Pearson::new).low())
                .isNaN();
    }

    private static Stream<LabelSetPrediction> labelSets() {
        return Stream.of(LABEL_SETS).map(row -> LabelSetPrediction.of(flags(row[0]), flags(row[1])));
    }

    private static boolean[] flags(int[] bits) {
        boolean[] flags = new boolean[bits.length];
        for (int i = 0; i < bits.length; i++) {
            flags[i] = bits[i] == 1;
        }
        return flags;
    }
}
