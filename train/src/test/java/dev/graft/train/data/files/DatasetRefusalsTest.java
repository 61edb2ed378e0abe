package dev.graft.train.data.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.Label;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Files of rows that are refused, or warned of. */
class DatasetRefusalsTest extends DatasetFiles {
    @Test
    void keysThatFitNothingGetTheNearestShapeAndTheFix() {
        refused(
                "a.csv",
                "review,sentiment\ngood,1\n",
                "a.csv:2: the keys [review, sentiment] fit no known shape",
                "Nearest: classification, such as {\"text\"",
                "columns: {text: review, label: sentiment}");
        refused(
                "a.jsonl",
                "{\"question\":\"a\",\"response\":\"b\"}",
                "data.columns: {prompt: question, completion: response}");
        refused(
                "a.jsonl",
                "{\"question\":\"a\",\"answer\":\"b\"}",
                "Nearest: prompt and completion",
                "data.columns: {prompt: question, completion: answer}");
        refused("a.jsonl", "{\"dialog\":[]}", "data.columns: {messages: dialog}");
        refused("a.jsonl", "{\"Text\":\"a\",\"Label\":1}", "columns: {text: Text, label: Label}");
        refused(
                "a.jsonl",
                "{\"text\":\"a\",\"label\":1,\"prompt\":\"b\",\"completion\":\"c\"}",
                "fit more than one shape (classification, judged answers)");
    }

    @Test
    void aRowOfAnotherShapeIsNamedWithItsLine() {
        refused(
                "a.jsonl",
                "{\"text\":\"a\",\"label\":1}\n{\"text\":\"b\",\"lable\":1}",
                "a.jsonl:2: the key \"label\" is missing, found [text, lable]",
                "such as {\"text\"");
        refused("a.jsonl", "{\"text\":\"a\",\"label\":1}\n[1]", "a.jsonl:2: is not a JSON object but [1]");
        refused("a.csv", "text,label\na,b,c\n", "a.csv:2: has 3 fields, the first line names 2 columns");
        refused("a.csv", "text,text\na,b\n", "a.csv:1: the column \"text\" appears twice");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "{\"text\":null,\"label\":1}|\"text\" is null, expected a string; remove the row or fill it",
                "{\"text\":\" \",\"label\":1}|\"text\" is empty",
                "{\"text\":5,\"label\":1}|\"text\" is 5, expected a string",
                "{\"text\":\"a\",\"label\":null}|the label is missing",
                "{\"text\":\"a\",\"label\":\"\"}|the label is empty",
                "{\"text\":\"a\",\"label\":-1}|the label is -1; negative classes",
                "{\"text\":\"a\",\"label\":{}}|the label is {}, expected a string, a number or a list",
                "{\"text\":\"a\",\"label\":[1,0,1]}|the label is [1,0,1], expected a string, a number or a list",
                "{\"text\":\"a\",\"label\":NaN}|the label NaN is no class",
                "{\"text\":\"a\",\"label\":1,\"label\":2}|the key \"label\" appears twice",
                "{\"text\":\"a\" \"label\":1}|:2:14: not valid JSON",
                "{\"text\":\"a\",|ends too early (expected a whole JSON object on each line)",
                "text|not valid JSON",
            })
    void aBadRowIsRefusedWithFileAndLine(String row, String message) {
        refused("a.jsonl", "{\"text\":\"fine\",\"label\":0}\n" + row + "\n", "a.jsonl:2", message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "{\"messages\":[]}|\"messages\" is [], expected a list",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}|no message is the assistant's",
                "{\"messages\":[{\"role\":\"user\",\"content\":null}]}|message 1: \"content\" is null, expected a"
                        + " string; fill it",
                "{\"messages\":[{\"role\":\"bot\",\"content\":\"a\"}]}|message 1 has the role \"bot\"",
                "{\"messages\":[{\"role\":\"assistant\",\"content\":\"\"}]}|message 1: \"content\" is empty",
                "{\"messages\":[{\"role\":\"user\",\"content\":[1]}]}|message 1: \"content\" is [1], expected a string",
                "{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\",\"weight\":0}]}|the key \"weight\", which is"
                        + " not read",
                "{\"messages\":[{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[]}]}|message 1: \"content\""
                        + " is empty",
                "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"name\":\"f\",\"arguments\":\"{\"}]}]}|\"arguments\""
                        + " is",
                "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{}]}]}|tool call 1: \"name\" is missing",
                "{\"conversations\":[{\"from\":\"human\",\"value\":\"a\"}]}|no message is the assistant's",
                "{\"conversations\":[{\"from\":\"narrator\",\"value\":\"a\"}]}|has the role \"narrator\", expected one"
                        + " of [system, user",
                "{\"conversations\":[{\"from\":\"gpt\",\"value\":\"a\"}],\"tools\":5}|\"tools\" is 5, expected a list",
                "{\"conversations\":[{\"from\":\"system\",\"value\":\"a\"},{\"from\":\"gpt\",\"value\":\"b\"}],\"system\":\"c\"}|and"
                        + " the first message is one too",
                "{\"instruction\":\"\",\"output\":\"a\"}|\"instruction\" is empty",
                "{\"instruction\":\"a\",\"output\":\"b\",\"input\":1}|\"input\" is 1, expected a string",
                "{\"chosen\":\"a\",\"rejected\":\"a\"}|are equal, so the row prefers nothing",
                "{\"chosen\":\"a\",\"rejected\":\"ab\"}|one answer continues the other",
                "{\"chosen\":\"a\",\"rejected\":[]}|is a list of messages, the other is not",
                "{\"chosen\":[{\"role\":\"user\",\"content\":\"a\"}],\"rejected\":[]}|the last message of \"chosen\""
                        + " is not the assistant's",
                "{\"prompt\":\"a\",\"completion\":\"\",\"label\":true}|\"completion\" is empty",
                "{\"tokens\":[\"a\",\"b\"],\"ner_tags\":[\"O\"]}|\"tokens\" has 2 words, \"ner_tags\" has 1 tags",
                "{\"tokens\":[],\"tags\":[]}|\"tokens\" is [], expected a list of texts",
                "{\"question\":\"q\",\"context\":\"abc\",\"answers\":{\"text\":[\"b\"],\"answer_start\":[2]}}|doesn't"
                        + " stand at 2 of the context, where there is \"c\"",
                "{\"question\":\"q\",\"context\":\"abc\",\"answers\":{\"text\":[\"b\"],\"answer_start\":[9]}}|expected"
                        + " a whole number from 0 to 3",
                "{\"question\":\"q\",\"context\":\"abc\",\"answers\":{\"text\":[\"b\"]}}|expected such as"
                        + " {\"question\"",
                "{\"prompt\":\"a\",\"completion\":\"\"}|\"completion\" is empty",
                "{\"input_ids\":[1,2],\"labels\":[1]}|input_ids has 2 entries, labels has 1",
                "{\"input_ids\":[1,-2],\"labels\":[1,2]}|input_ids[1] is -2",
                "{\"input_ids\":[1,2],\"labels\":[1,-1]}|labels has -1, expected token ids, or -100",
                "{\"input_ids\":[1,2.5],\"labels\":[1,1]}|input_ids[1] is 2.5",
                "{\"input_ids\":[],\"labels\":[]}|input_ids is empty",
                "{\"input_ids\":[1,0],\"attention_mask\":[1,0],\"label\":1}|attention_mask hides tokens",
            })
    void aBadRowOfAnotherShapeIsRefused(String row, String message) {
        refused("a.jsonl", row, "a.jsonl:1", message);
    }

    @Test
    void labelsOfOneFileAreOfOneKind() {
        refused(
                "a.jsonl",
                "{\"text\":\"a\",\"label\":1.5}\n{\"text\":\"b\",\"label\":\"x\"}",
                "a.jsonl:1: the label 1.5 is no class");
        refused("a.csv", "text,label\na,1\nb,nan\n", "a.csv:3: the label is nan, a missing value");
        refused("a.csv", "text,label\na,1.5\nb,nan\n", "a.csv:3: the label is NaN, expected a finite number");
        refused("a.csv", "text,label\na,x\nb,NaN\n", "a.csv:3: the label is NaN, a missing value");
        refused("a.csv", "text,label\na,0\nb,-1\n", "a.csv:3: the label is -1");
        refused("a.csv", "text,label\na,0\nb,\n", "a.csv:3: the label is empty");
        refused(
                "a.jsonl",
                "{\"text\":\"a\",\"label\":[1,1]}",
                "the label 1 appears twice in [1,1]",
                "give the class's number or name");
        refused(
                "a.jsonl",
                "{\"text\":\"a\",\"label\":[1]}\n{\"text\":\"a\",\"label\":1}",
                "a.jsonl:2: the label is 1, but");
    }

    @Test
    void filesThatAreNoTextAreNamed() {
        refused("a.jsonl", "", "a.jsonl: has no rows");
        refused("a.jsonl", "\n \n", "has no rows");
        refused("a.json", "[]", "has no rows");
        refused("a.csv", "text,label\n", "has no rows");
        refused("a.json", "[{\"text\":\"a\",\"label\":1},]", "element 2 of the array is not an object");
        refused("a.json", "[{\"text\":\"a\",\"label\":1}] x", "more follows after the end");
        refused("a.json", "[{\"text\":\"a\",\"label\":1}", "ends too early, expected , or ] after element 1");
        refused("a.json", "[{\"text\":\"a", "ends too early, inside element 1");
        refused("a.jsonl", "text\tlabel", "a.jsonl:1: starts with neither { nor [");
        refused("a.csv", "text,label\n\"a,1\nb,2\n", "a.csv:2: the quote that opens field 1 is never closed");
        refused("a.csv", "text,label\n\"a\"b,1\n", "a.csv:2: field 1 goes on after its closing quote");
        refused("a.parquet", "PAR1....", "is no Parquet file that can be read");
        refused("a.jsonl", "{\"text\":\0}", "is binary");
        Path latin = file(
                "b.jsonl",
                "{\"text\":\"a\",\"label\":1}\n{\"text\":\"\u00e9\",\"label\":1}"
                        .getBytes(StandardCharsets.ISO_8859_1));
        assertThatThrownBy(() -> Dataset.open(latin))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("b.jsonl:2:")
                .hasMessageContaining("not valid UTF-8; if the file is in Latin-1: iconv");
        Path latinCsv = file("b.csv", "text,label\n\u00e9,1\n".getBytes(StandardCharsets.ISO_8859_1));
        assertThatThrownBy(() -> Dataset.open(latinCsv)).hasMessageContaining("b.csv:2: not valid UTF-8");
        Path wide = file("c.csv", "text,label\na,1".getBytes(StandardCharsets.UTF_16));
        assertThatThrownBy(() -> Dataset.open(wide)).hasMessageContaining("is in UTF-16");
        assertThatThrownBy(() -> Dataset.open(folder.resolve("missing.csv")))
                .hasMessageContaining("there is no such file");
        assertThatThrownBy(() -> Dataset.open(folder)).hasMessageContaining("has no train file");
    }

    @Test
    void aRowOfTenMegabytesIsRefusedWithItsLine() {
        refused(
                "a.jsonl",
                "{\"text\":\"a\",\"label\":1}\n{\"text\":\"" + "x".repeat(10 << 20) + "\",\"label\":1}",
                "a.jsonl:2: this row has more than 8388608 bytes");
    }

    @Test
    void whatIsSeldomMeantIsAWarning() {
        assertThat(open("a.jsonl", "{\"text\":\"a\",\"label\":1}").warnings())
                .hasSize(2)
                .anyMatch(warning -> warning.endsWith("has a single row"))
                .anyMatch(warning -> warning.contains("every label is 1"));
        assertThat(open("a.csv", "text,label\na,x\nb,y\na,y\na,x\n").warnings())
                .singleElement()
                .asString()
                .endsWith("2 of 4 rows repeat the input of another row");
    }

    @Test
    void wholeScoresAndLabelsThatAreNearlyTheSameAreWarnedOf() {
        Dataset floats = open("a.jsonl", "{\"text\":\"a\",\"label\":1.0}\n{\"text\":\"b\",\"label\":0.0}");
        assertThat(floats.labelKind()).isEqualTo(Label.Kind.SCORE);
        assertThat(floats.warnings())
                .singleElement()
                .asString()
                .contains("every label is a whole number", "set problem_type to single_label");
        DataOptions told = DataOptions.labelled(Label.Kind.SCORE);
        assertThat(Dataset.open(floats.path(), told).warnings()).isEmpty();
        assertThat(open("b.csv", "text,label\na,1.0\nb,2.5\n").warnings()).isEmpty();
        assertThat(open("c.jsonl", "{\"text\":\"a\",\"label\":\"Pos\"}\n{\"text\":\"b\",\"label\":\"pos \"}")
                        .warnings())
                .singleElement()
                .asString()
                .contains("the labels \"Pos\", \"pos \" differ only in case or in space");
        Dataset spaced = open("d.csv", "text, label\na, pos\nb,neg \n");
        assertThat(spaced.labelCounts()).containsOnlyKeys("pos", "neg");
    }

    @Test
    void aSecondTextThatOnlyLaterRowsHaveIsRefused() {
        String rows = "{\"text\":\"a\",\"label\":1}\n".repeat(100);
        refused(
                "a.jsonl",
                rows + "{\"text\":\"a\",\"sentence2\":\"b\",\"label\":0}",
                "a.jsonl:101: the row has a second text, \"sentence2\"");
        assertThat(open("b.jsonl", rows + "{\"text\":\"a\",\"sentence2\":null,\"label\":0}")
                        .size())
                .isEqualTo(101);
    }

    @Test
    void aFileThatShrinksWhileInUseIsAnErrorNotAWrongRow() throws IOException {
        Path path = file("a.csv", "text,label\nsome text,x\nsome more,y\n");
        try (Dataset data = Dataset.open(path)) {
            Files.write(path, new byte[5], StandardOpenOption.TRUNCATE_EXISTING);
            assertThatThrownBy(() -> data.get(1)).hasMessageContaining("became shorter while it was in use");
        }
    }
}
