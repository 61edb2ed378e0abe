package dev.graft.train.data.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.Label;
import dev.graft.train.data.Labels;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SplitsTest {
    @TempDir
    Path folder;

    private void file(String name, String content) throws IOException {
        Files.writeString(folder.resolve(name), content);
    }

    @Test
    void aFolderIsReadByItsNamesAndLeaksAreCounted() throws IOException {
        file("train.csv", "text,label\na,0\nb,1\nc,0\n");
        file("dev.jsonl", "{\"text\":\"d\",\"label\":1}\n{\"text\":\"e\",\"label\":0}\n");
        file("test.csv", "text,label\nx,0\nb,0\nc,1\n");
        file("README.md", "about");
        try (Splits splits = Splits.open(folder, DataOptions.DETECT)) {
            assertThat(splits.train().size()).isEqualTo(3);
            assertThat(splits.validation().size()).isEqualTo(2);
            assertThat(splits.test().size()).isEqualTo(3);
            assertThat(splits.notes()).hasSize(4);
            assertThat(splits.notes().get(0))
                    .endsWith("train.csv: CSV, classification, fields text,label, 2 labels, 3 rows");
            assertThat(splits.notes().get(3))
                    .startsWith("Warning: 2 of 3 rows have the same input as a training row (first: ")
                    .contains("test.csv:3");
        }
    }

    @Test
    void ofAFolderTheTestRowsAreScoredElseTheValidationRows() throws IOException {
        file("train.csv", "text,label\na,0\nb,1\n");
        assertThatThrownBy(() -> Splits.scored(folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("has rows to train on, but none in [test, testing] or [valid")
                .hasMessageContaining("name the file");
        file("dev.csv", "text,label\nc,1\n");
        assertThat(Splits.scored(folder)).containsExactly(folder.resolve("dev.csv"));
        file("test.csv", "text,label\nd,1\n");
        assertThat(Splits.scored(folder)).containsExactly(folder.resolve("test.csv"));
        Files.delete(folder.resolve("train.csv"));
        assertThat(Splits.scored(folder)).containsExactly(folder.resolve("test.csv"));
        assertThat(Splits.scored(folder.resolve("*e*.csv")))
                .containsExactly(folder.resolve("dev.csv"), folder.resolve("test.csv"));
    }

    @Test
    void foldersOfClassesAreScoredWhole() throws IOException {
        Files.createDirectories(folder.resolve("test"));
        file("test/a.png", "");
        assertThat(Splits.scored(folder)).containsExactly(folder);
    }

    @Test
    void theOtherPartsHaveTheShapeAndKindOfTheTrainingRows() throws IOException {
        file("train.csv", "text,label\na,0.5\nb,1\n");
        file("valid.csv", "text,label\nc,1\n");
        try (Splits splits = Splits.open(folder, DataOptions.DETECT)) {
            assertThat(splits.validation().get(0).label()).isEqualTo(new Label.Score(1));
        }
        file("valid.csv", "prompt,completion\nc,1\n");
        assertThatThrownBy(() -> Splits.open(folder, DataOptions.DETECT))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("valid.csv:2: the key \"text\" is missing, found [prompt, completion]");
    }

    @Test
    void missingAndDoubtfulFilesAreRefused() throws IOException {
        file("data.csv", "text,label\na,0\n");
        assertThatThrownBy(() -> Splits.open(folder, DataOptions.DETECT))
                .hasMessageContaining("has no train file")
                .hasMessageContaining("data.csv");
        file("train.csv", "text,label\na,0\n");
        file("valid.csv", "text,label\nb,0\n");
        file("validation.jsonl", "{\"text\":\"b\",\"label\":0}\n");
        assertThatThrownBy(() -> Splits.open(folder, DataOptions.DETECT))
                .hasMessageContaining("more than one valid file");
    }

    @Test
    void aShareForValidationDependsOnTheRowsAloneAndKeepsEqualInputsTogether() {
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < 2000; i++) {
            rows.add(new Row.Text("text " + i % 1000, null, new Label.One("x")));
        }
        Splits splits = new Splits(Rows.of("a", rows), null, null, List.of()).withValidation(0.2);
        assertThat(splits.validation().size()).isBetween(340, 460);
        assertThat(splits.train().size() + splits.validation().size()).isEqualTo(2000);
        assertThat(Splits.leak(splits.train(), splits.validation())).isNull();
        List<Row> reversed = new ArrayList<>(rows);
        Collections.reverse(reversed);
        Splits again = new Splits(Rows.of("b", reversed), null, null, List.of()).withValidation(0.2);
        assertThat(texts(again.validation())).isEqualTo(texts(splits.validation()));
        assertThatThrownBy(() -> again.withValidation(0.1)).hasMessageContaining("already has validation rows");
        Rows one = Rows.of("c", rows.subList(0, 1));
        assertThatThrownBy(() -> new Splits(one, null, null, List.of()).withValidation(0.5))
                .hasMessageContaining("leaves no row");
        assertThatThrownBy(() -> new Splits(one, null, null, List.of()).withValidation(Double.NaN))
                .isInstanceOf(InputException.class);
    }

    private static Set<String> texts(Rows rows) {
        return new HashSet<>(IntStream.range(0, rows.size())
                .mapToObj(row -> ((Row.Text) rows.get(row)).text())
                .toList());
    }

    @Test
    void labelsAreOrderedByValueOrByCodePoint() {
        assertThat(Labels.ofNames(List.of("10", "9", "0")).names()).containsExactly("0", "9", "10");
        Labels labels = Labels.ofNames(List.of("b", "\ud83d\ude00", "\uff5e", "B", "10"));
        assertThat(labels.names()).containsExactly("10", "B", "b", "\uff5e", "\ud83d\ude00");
        assertThat(labels.id("b", "x:1")).isEqualTo(2);
        assertThat(Labels.fromIds(labels.id2label())).isEqualTo(labels);
        assertThat(labels.label2id()).containsEntry("B", 1);
        assertThatThrownBy(() -> labels.id("c", "x.csv:7"))
                .isInstanceOf(InputException.class)
                .hasMessageStartingWith("x.csv:7: the label c is not one of the 5 labels that are trained: 10, B");
        assertThatThrownBy(() -> Labels.fromIds(Map.of(1, "a"))).hasMessageContaining("expected 0 to 0");
    }

    @Test
    void repeatedAndLeakedRowsAreLeftOutAndCounted() throws IOException {
        file("train.csv", "text,label\na,0\nb,1\na,1\nc,0\nd,1\n");
        file("test.csv", "text,label\nc,0\n");
        try (Splits splits = Splits.open(folder, DataOptions.DETECT).withoutRepeats()) {
            assertThat(IntStream.range(0, splits.train().size())
                            .mapToObj(row -> splits.train().place(row).replaceAll(".*:", "")))
                    .as("the first of equal rows stays")
                    .containsExactly("2", "3", "6");
            assertThat(splits.notes().get(splits.notes().size() - 1))
                    .isEqualTo("1 training rows that repeat another one and 1 that are validation or test rows too are"
                            + " left out; 3 are left");
        }
        file("test.csv", "text,label\na,0\nb,0\nc,0\nd,0\n");
        assertThatThrownBy(() -> Splits.open(folder, DataOptions.DETECT).withoutRepeats())
                .isInstanceOf(InputException.class)
                .hasMessageContaining("every training row is among the validation or test rows too");
    }

    private static Splits labelled(int rows) {
        Rows all = Rows.of(
                "rows",
                IntStream.range(0, rows)
                        .mapToObj(i -> new Row.Text("text " + i, null, new Label.One(i % 3 == 0 ? "a" : "b")))
                        .toList());
        return new Splits(all, all, all, List.of());
    }

    @Test
    void fewRowsAreChosenByTheirHashesAndKeepTheirOrder() {
        Splits few = labelled(100).limited(10, 5);
        assertThat(few.train().size()).isEqualTo(10);
        assertThat(few.validation().size()).isEqualTo(5);
        assertThat(few.test().size()).isEqualTo(5);
        assertThat(labelled(100).limited(null, 500).train().size()).isEqualTo(100);
        assertThat(few.train().hash(0))
                .isEqualTo(labelled(100).limited(10, null).train().hash(0));
    }

    @Test
    void shotsAreSoManyOfEachClassToTrainAndToValidateOn() {
        Splits few = labelled(100).fewShot(4);
        assertThat(few.train().labelCounts()).containsOnly(Map.entry("a", 4), Map.entry("b", 4));
        assertThat(few.validation().size()).isEqualTo(8);
        assertThat(few.test().size()).isEqualTo(100);
        Rows scores = Rows.of("rows", List.of(new Row.Text("t", null, new Label.Score(1))));
        assertThatThrownBy(() -> new Splits(scores, null, null, List.of()).fewShot(1))
                .hasMessageContaining("no single class");
    }
}
