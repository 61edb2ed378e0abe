package dev.graft.eval.suites;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.eval.suites.SuiteReport.TaskScore;
import dev.graft.eval.suites.SuiteTask.Answer;
import dev.graft.eval.suites.SuiteTask.Item;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.hub.DownloadProgress;
import dev.graft.hub.Hub;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import dev.graft.train.data.files.Splits;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SuiteTest {
    @TempDir
    Path folder;

    void write(String name, String text) throws IOException {
        Files.createDirectories(folder.resolve(name).getParent());
        Files.writeString(folder.resolve(name), text);
    }

    static Row.Text row(Item item) {
        return (Row.Text) item.row();
    }

    static Answer says(Item item, String label) {
        return new Answer(item, label, label.equals(SuiteTask.YES) ? 0.9 : 0.1);
    }

    @Test
    void gluesTablesAreReadByTheirNamesAndColaByPosition() throws IOException {
        write("CoLA/dev.tsv", "gj04\t1\t\tThe \"sailors\" rode.\ngj04\t0\t*\tThe rode sailors.\n");
        write("RTE/dev.tsv", "index\tsentence1\tsentence2\tlabel\n0\tA b.\tC d.\tnot_entailment\n");
        write("STS-B/dev.tsv", "index\tsentence1\tsentence2\tscore\n0\ta\tb\t3.750\n");

        assertThat(Glue.COLA.read(folder, "dev"))
                .extracting(Item::row)
                .containsExactly(
                        new Row.Text("The \"sailors\" rode.", null, new Label.One("1")),
                        new Row.Text("The rode sailors.", null, new Label.One("0")));
        assertThat(row(Glue.RTE.read(folder, "dev").get(0)))
                .isEqualTo(new Row.Text("A b.", "C d.", new Label.One("not_entailment")));
        assertThat(row(Glue.STSB.read(folder, "dev").get(0)).label()).isEqualTo(new Label.Score(3.75));
    }

    @Test
    void linesThatAreNotInTheOfficialFormatAreRefusedByNumber() throws IOException {
        write("RTE/dev.tsv", "index\tsentence1\tsentence2\tlabel\n0\tA\tB\tentailment\n1\tA\tB\n");
        assertThatThrownBy(() -> Glue.RTE.read(folder, "dev"))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("dev.tsv:3: has 3 fields, expected 4");
        write("RTE/dev.tsv", "index\tsentence1\tsentence2\tlabel\n0\tA\tB\tmaybe\n");
        assertThatThrownBy(() -> Glue.RTE.read(folder, "dev"))
                .hasMessageContaining("dev.tsv:2: label is \"maybe\", expected one of [entailment, not_entailment]");
        write("RTE/dev.tsv", "index\tpremise\tlabel\n0\tA\tentailment\n");
        assertThatThrownBy(() -> Glue.RTE.read(folder, "dev")).hasMessageContaining("has no field sentence1");
        write("STS-B/dev.tsv", "sentence1\tsentence2\tscore\na\tb\thigh\n");
        assertThatThrownBy(() -> Glue.STSB.read(folder, "dev")).hasMessageContaining("expected a number");
        write("CB/val.jsonl", "{\"premise\": \"a\", \"hypothesis\": \"b\"}\n");
        assertThatThrownBy(() -> SuperGlue.CB.read(folder, "val")).hasMessageContaining("val.jsonl:1: has no label");
    }

    @Test
    void similarityIsClippedToItsScaleAndStatesBothCorrelations() {
        double[] gold = {0, 2, 5};
        double[] said = {-3, 2, 9};
        List<Answer> answers = IntStream.range(0, 3)
                .mapToObj(i -> new Answer(new Item(new Row.Text("a", "b", new Label.Score(gold[i]))), "", said[i]))
                .toList();
        // Clipped they are 0, 2, 5: equal to the gold.
        assertThat(Glue.STSB.score(answers))
                .hasSize(2)
                .allSatisfy((name, value) -> assertThat(value).isCloseTo(1, within(1e-12)));
    }

    @Test
    void acceptabilityIsMatthewsAndParaphraseAccuracyAndF1() {
        List<String> gold = List.of("1", "1", "1", "0");
        List<String> said = List.of("1", "1", "0", "0");
        List<Answer> answers = IntStream.range(0, 4)
                .mapToObj(i -> says(new Item(new Row.Text("a", null, new Label.One(gold.get(i)))), said.get(i)))
                .toList();
        // TP 2, TN 1, FP 0, FN 1: 2 / sqrt(2 * 3 * 1 * 2)
        assertThat(Glue.COLA.score(answers).get("matthews")).isCloseTo(2 / Math.sqrt(12), within(1e-12));
        assertThat(Glue.MRPC.score(answers)).isEqualTo(Map.of("accuracy", 0.75, "f1", 0.8));
    }

    @Test
    void theAverageTakesTheMeanOfATasksMetricsFirstAndOfMnlisParts() {
        SuiteReport report = new SuiteReport(
                Suite.named("glue"),
                folder,
                false,
                List.of(
                        new TaskScore(Glue.MRPC, 1, 1, List.of(Map.of("accuracy", 0.8, "f1", 0.9)), List.of(), null),
                        new TaskScore(
                                Glue.MNLI,
                                2,
                                2,
                                List.of(Map.of("accuracy", 0.5), Map.of("accuracy", 0.7)),
                                List.of(),
                                null),
                        TaskScore.missing(Glue.RTE, "no adapter")));
        assertThat(report.average()).isCloseTo((0.85 + 0.6) / 2, within(1e-12));
        assertThat(report.isComplete()).isFalse();
        assertThat(report.averageText()).isEqualTo("72.50 over 2 of 9 tasks: not the official average");
        assertThat(report.toJson().at("/tasks/rte/missing").asString()).isEqualTo("no adapter");
    }

    @Test
    void multiRcCountsAllAnswersAndWholeQuestions() throws IOException {
        write(
                "MultiRC/val.jsonl",
                "{\"passage\": {\"text\": \"p\", \"questions\": [{\"question\": \"q1\", \"answers\": [{\"text\":"
                        + " \"a\", \"label\": 1}, {\"text\": \"b\", \"label\": 0}]}, {\"question\": \"q2\", \"answers\":"
                        + " [{\"text\": \"c\", \"label\": 1}, {\"text\": \"d\", \"label\": 1}]}]}}\n");
        List<Item> items = SuperGlue.MULTIRC.read(folder, "val");
        assertThat(items).extracting(item -> row(item).pair()).containsExactly("q1 a", "q1 b", "q2 c", "q2 d");

        List<Answer> answers = List.of(
                says(items.get(0), "yes"),
                says(items.get(1), "no"),
                says(items.get(2), "yes"),
                says(items.get(3), "no"));
        // Of three right answers two are found and none is invented.
        assertThat(SuperGlue.MULTIRC.score(answers).get("f1_a")).isCloseTo(0.8, within(1e-12));
        assertThat(SuperGlue.MULTIRC.score(answers).get("exact_match")).isEqualTo(0.5);
    }

    @Test
    void recordFillsEachEntityInAndCountsTheMostProbable() throws IOException {
        write(
                "ReCoRD/val.jsonl",
                "{\"passage\": {\"text\": \"\ud83d\ude00 Ada met Bob Smith\", \"entities\": [{\"start\": 2, \"end\":"
                        + " 4}, {\"start\": 10, \"end\": 18}]}, \"qas\": [{\"query\": \"@placeholder wrote\", \"answers\":"
                        + " [{\"text\": \"Smith\"}]}]}\n");
        List<Item> items = SuperGlue.RECORD.read(folder, "val");
        assertThat(items).extracting(item -> row(item).pair()).containsExactly("Ada wrote", "Bob Smith wrote");

        Map<String, Double> score = SuperGlue.RECORD.score(
                List.of(new Answer(items.get(0), "no", 0.2), new Answer(items.get(1), "no", 0.4)));
        assertThat(score.get("f1")).isCloseTo(2.0 / 3, within(1e-12));
        assertThat(score.get("exact_match")).isZero();
    }

    @Test
    void copaTakesTheChoiceThatIsMoreProbable() throws IOException {
        write(
                "COPA/val.jsonl",
                "{\"premise\": \"It rained.\", \"choice1\": \"Dry.\", \"choice2\": \"Wet.\", \"question\": \"effect\","
                        + " \"label\": 1}\n");
        List<Item> items = SuperGlue.COPA.read(folder, "val");
        assertThat(row(items.get(1)))
                .isEqualTo(new Row.Text("It rained. What happened then?", "Wet.", new Label.One("yes")));
        assertThat(SuperGlue.COPA.score(
                        List.of(new Answer(items.get(0), "yes", 0.6), new Answer(items.get(1), "yes", 0.7))))
                .containsEntry("accuracy", 1.0);
    }

    @ParameterizedTest
    @EnumSource(Glue.class)
    void twinIsReadAsTheOfficialFilesAreAndItsWordsAreNew(Glue task) {
        GlueTwin.write(folder, 3, 60);
        assertThat(Suite.isTwin(folder)).isTrue();
        for (String part : task.scoredSplits()) {
            List<Item> items = task.read(folder, part);
            assertThat(items).hasSize(200);
            Set<Object> labels = new HashSet<>();
            items.forEach(item -> labels.add(row(item).label()));
            assertThat(labels).hasSizeGreaterThanOrEqualTo(task == Glue.STSB ? 4 : task.classes.size());
        }
        assertThat(task.read(folder, "train")).hasSize(60);
    }

    @Test
    void thingsInATwinsDevRowsAreInNoTrainingRow() {
        GlueTwin.write(folder, 3, 400);
        Set<String> train = new HashSet<>();
        Glue.SST2
                .read(folder, "train")
                .forEach(item -> train.addAll(List.of(row(item).text().split(" "))));
        assertThat(Glue.SST2.read(folder, "dev"))
                .allSatisfy(item ->
                        assertThat(train).doesNotContain(row(item).text().split(" ")[3]));
    }

    @Test
    void aTasksRowsAreFilesOfWhichTheDevRowsTest() {
        Hub hub = new Hub(Map.of("GRAFT_CACHE", folder.resolve("cache").toString()), DownloadProgress.SILENT);
        GlueTwin.write(folder.resolve("glue"), 3, 60);
        try (Splits splits = Suite.open("glue/rte", folder.resolve("glue").toString(), hub)) {
            assertThat(splits.test().size()).isEqualTo(200);
            assertThat(splits.train().size() + splits.validation().size()).isEqualTo(60);
            assertThat(splits.notes()).anyMatch(note -> note.contains("a twin, generated rows"));
        }
        assertThatThrownBy(() -> Suite.open("glue/rte", folder.resolve("cache").toString(), hub))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("RTE/train.tsv");
        assertThatThrownBy(() -> Suite.open("glue/xyz", "x", hub)).hasMessageContaining("there is no task xyz in glue");
    }

    @Test
    void everySuiteHasATwinOfAllItsTasks() {
        for (String name : Suite.names()) {
            Path twin = folder.resolve(name);
            Suite.writeTwin(name, twin, 3, 10);
            assertThat(Suite.isTwin(twin)).as(name).isTrue();
            assertThat(Suite.named(name).in(twin).tasks()).isNotEmpty().allSatisfy(task -> {
                assertThat(task.file(twin, task.scoredSplits().get(0))).exists();
            });
        }
    }
}
