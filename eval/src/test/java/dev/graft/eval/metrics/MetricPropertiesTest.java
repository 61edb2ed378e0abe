package dev.graft.eval.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.function.DoubleUnaryOperator;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;

class MetricPropertiesTest {

    private static final int CLASSES = 5;

    @Provide
    Arbitrary<List<ClassPrediction>> rows() {
        Arbitrary<Integer> classes = Arbitraries.integers().between(0, CLASSES - 1);
        return Combinators.combine(classes, classes)
                .as(ClassPrediction::new)
                .list()
                .ofMinSize(1)
                .ofMaxSize(60);
    }

    @Provide
    Arbitrary<List<ValuePrediction>> pairs() {
        Arbitrary<Double> values = Arbitraries.integers().between(-20, 20).map(i -> i / 4.0);
        return Combinators.combine(values, values)
                .as(ValuePrediction::new)
                .list()
                .ofMinSize(2)
                .ofMaxSize(40);
    }

    @Property(tries = 200)
    void microF1IsAccuracyForSingleLabels(@ForAll("rows") List<ClassPrediction> rows) {
        var micro = new PrecisionRecallF1(CLASSES, Average.MICRO);
        rows.forEach(micro::update);
        assertThat(micro.value()).isCloseTo(accuracy(rows), within(1e-15));
    }

    @Property(tries = 200)
    void weightedRecallIsAccuracy(@ForAll("rows") List<ClassPrediction> rows) {
        var weighted = new PrecisionRecallF1(CLASSES, Average.WEIGHTED);
        rows.forEach(weighted::update);
        assertThat(weighted.values().get("weighted_recall")).isCloseTo(accuracy(rows), within(1e-12));
    }

    @Property(tries = 200)
    void rowsAndColumnsOfTheConfusionMatrixCountLabelsAndPredictions(@ForAll("rows") List<ClassPrediction> rows) {
        var confusion = new ConfusionMatrix(CLASSES);
        rows.forEach(confusion::add);
        for (int i = 0; i < CLASSES; i++) {
            int of = i;
            assertThat(confusion.support(i))
                    .isEqualTo(rows.stream().filter(row -> row.label() == of).count());
            assertThat(confusion.predicted(i))
                    .isEqualTo(
                            rows.stream().filter(row -> row.prediction() == of).count());
        }
        assertThat(confusion.total()).isEqualTo(rows.size());
        assertThat(confusion.matthews()).isBetween(-1 - 1e-12, 1 + 1e-12);
    }

    @Property(tries = 200)
    void matthewsIsSymmetricInLabelsAndPredictions(@ForAll("rows") List<ClassPrediction> rows) {
        var forward = new Matthews(CLASSES);
        var swapped = new Matthews(CLASSES);
        rows.forEach(forward::update);
        rows.forEach(row -> swapped.update(new ClassPrediction(row.prediction(), row.label())));
        assertThat(forward.value()).isCloseTo(swapped.value(), within(1e-12));
    }

    @Property(tries = 200)
    void oneHotLabelSetsScoreAsClasses(
            @ForAll("rows") List<ClassPrediction> rows, @ForAll @IntRange(max = 2) int which) {
        Average average =
                List.of(Average.MICRO, Average.MACRO, Average.WEIGHTED).get(which);
        var single = new PrecisionRecallF1(CLASSES, average);
        var multi = new MultiLabelF1(CLASSES, average);
        for (ClassPrediction row : rows) {
            boolean[] label = new boolean[CLASSES];
            boolean[] prediction = new boolean[CLASSES];
            label[row.label()] = true;
            prediction[row.prediction()] = true;
            single.update(row);
            multi.update(LabelSetPrediction.of(label, prediction));
        }
        assertThat(multi.values()).isEqualTo(single.values());
    }

    @Property(tries = 200)
    void spearmanIgnoresMonotoneMaps(@ForAll("pairs") List<ValuePrediction> pairs) {
        double plain = spearman(pairs, v -> v, v -> v);
        assertThat(spearman(pairs, Math::exp, v -> v * v * v)).isEqualTo(Double.valueOf(plain));
        double reversed = spearman(pairs, v -> -v, v -> v);
        if (Double.isNaN(plain)) {
            assertThat(reversed).isNaN();
        } else {
            assertThat(reversed).isCloseTo(-plain, within(1e-12));
        }
    }

    @Property(tries = 200)
    void pearsonIgnoresScaleAndShift(@ForAll("pairs") List<ValuePrediction> pairs) {
        var plain = new Pearson();
        var moved = new Pearson();
        pairs.forEach(plain::update);
        pairs.forEach(p -> moved.update(new ValuePrediction(2 * p.target() + 1, 0.5 * p.prediction() - 3)));
        if (Double.isNaN(plain.value())) {
            assertThat(moved.value()).isNaN();
        } else {
            assertThat(moved.value()).isCloseTo(plain.value(), within(1e-12));
        }
    }

    @Property(tries = 50)
    void aBootstrapIntervalIsOrderedAndWithinTheRange(@ForAll("rows") List<ClassPrediction> rows, @ForAll long seed) {
        var interval = new Bootstrap(50, 0.9, seed).interval(rows, Accuracy::new);
        assertThat(interval.low()).isBetween(0.0, interval.high());
        assertThat(interval.high()).isLessThanOrEqualTo(1);
    }

    private static double accuracy(List<ClassPrediction> rows) {
        return (double) rows.stream().filter(r -> r.label() == r.prediction()).count() / rows.size();
    }

    private static double spearman(
            List<ValuePrediction> pairs, DoubleUnaryOperator target, DoubleUnaryOperator prediction) {
        var spearman = new Spearman();
        pairs.forEach(p -> spearman.update(
                new ValuePrediction(target.applyAsDouble(p.target()), prediction.applyAsDouble(p.prediction()))));
        return spearman.value();
    }
}
