package dev.graft.eval.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Against scikit-learn's and SciPy's numbers; -Dgraft.fixtures=DIR tests another tree of the same layout. */
class ReferenceMetricsTest {

    private static final JsonNode FIXTURE = JsonMapper.shared()
            .readTree(Path.of(System.getProperty("graft.fixtures", "../parity/fixtures"), "maths/classification.json")
                    .toFile());
    private static final Offset<Double> EXACT = within(1e-12);

    static Stream<JsonNode> cases() {
        return StreamSupport.stream(FIXTURE.get("cases").spliterator(), false);
    }

    static Stream<JsonNode> regression() {
        return StreamSupport.stream(FIXTURE.get("regression").spliterator(), false);
    }

    @Test
    void theFixtureHasCases() {
        assertThat(cases()).isNotEmpty();
        assertThat(regression()).isNotEmpty();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void classificationEqualsTheReference(JsonNode reference) {
        int classes = reference.get("classes").asInt();
        Accuracy accuracy = new Accuracy();
        Matthews matthews = new Matthews(classes);
        ConfusionMatrix confusion = new ConfusionMatrix(classes);
        List<ClassPrediction> rows = rows(reference);
        rows.forEach(accuracy::update);
        rows.forEach(matthews::update);
        rows.forEach(confusion::add);

        assertThat(accuracy.value()).isCloseTo(reference.get("accuracy").asDouble(), EXACT);
        assertThat(confusion.accuracy()).isEqualTo(accuracy.value());
        assertThat(matthews.value()).isCloseTo(reference.get("matthews").asDouble(), EXACT);
        for (int i = 0; i < classes; i++) {
            for (int j = 0; j < classes; j++) {
                assertThat(confusion.count(i, j))
                        .as("confusion[%d][%d]", i, j)
                        .isEqualTo(reference.get("confusion").get(i).get(j).asLong());
            }
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void averagedScoresEqualTheReference(JsonNode reference) {
        int classes = reference.get("classes").asInt();
        for (Average average : Average.values()) {
            JsonNode expected = reference.get(average.name().toLowerCase(Locale.ROOT));
            assertThat(expected == null).as("%s is there", average).isEqualTo(average == Average.BINARY && classes > 2);
            if (expected == null) {
                continue;
            }
            PrecisionRecallF1 metric = new PrecisionRecallF1(classes, average);
            rows(reference).forEach(metric::update);
            Iterator<Double> values = metric.values().values().iterator();
            assertThat(values.next())
                    .as("%s precision", average)
                    .isCloseTo(expected.get("precision").asDouble(), EXACT);
            assertThat(values.next())
                    .as("%s recall", average)
                    .isCloseTo(expected.get("recall").asDouble(), EXACT);
            assertThat(values.next())
                    .as("%s f1", average)
                    .isCloseTo(expected.get("f1").asDouble(), EXACT);
            assertThat(metric.values()).containsEntry(metric.name(), metric.value());
        }
    }

    @ParameterizedTest
    @MethodSource("regression")
    void regressionEqualsTheReference(JsonNode reference) {
        MetricSet<ValuePrediction> metrics = MetricSet.regression();
        for (int i = 0; i < reference.get("x").size(); i++) {
            metrics.update(new ValuePrediction(
                    reference.get("y").get(i).asDouble(),
                    reference.get("x").get(i).asDouble()));
        }
        for (String name : List.of("mse", "mae", "r2", "pearson", "spearman")) {
            assertThat(metrics.values().get(name))
                    .as(name)
                    .isCloseTo(reference.get(name).asDouble(), EXACT);
        }
        assertThat(metrics.values().get("rmse"))
                .isCloseTo(Math.sqrt(reference.get("mse").asDouble()), EXACT);
    }

    private static List<ClassPrediction> rows(JsonNode reference) {
        return IntStream.range(0, reference.get("labels").size())
                .mapToObj(i -> new ClassPrediction(
                        reference.get("labels").get(i).asInt(),
                        reference.get("predictions").get(i).asInt()))
                .toList();
    }
}
