package dev.graft.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.chat.Message;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DatasetTest {
    @TempDir
    Path folder;

    private Path file(String name, String content) {
        return file(name, content.getBytes(StandardCharsets.UTF_8));
    }

    private Path file(String name, byte[] content) {
        try {
            return Files.write(folder.resolve(name), content);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private Dataset open(String name, String content) {
        return Dataset.open(file(name, content));
    }

    private void refused(String name, String content, String... message) {
        assertThatThrownBy(() -> open(name, content))
                .isInstanceOf(InputException.class)
                .hasMessageContainingAll(message);
    }

    private static List<Row> rows(Rows rows) {
        return IntStream.range(0, rows.size()).mapToObj(rows::get).toList();
    }

    private static Row text(String text, String label) {
        return new Row.Text(text, null, new Label.One(label));
    }

    @Test
    void classification_of_jsonl_is_detected_and_stated() {
        try (Dataset data = open("a.jsonl", """
                {"text": "one", "label": "b"}
                {"label": "a", "text": "two\\nlines"}

                {"text": "three", "label": "b", "id": 7}
                """)) {
            assertThat(data.detected())
                    .isEqualTo("JSONL, classification, fields text,label, 2 labels, 3 rows (not used: id)");
            assertThat(rows(data)).containsExactly(text("one", "b"), text("two\nlines", "a"), text("three", "b"));
            assertThat(data.place(2)).endsWith("a.jsonl:4");
            assertThat(data.labelCounts()).containsExactly(Map.entry("b", 2), Map.entry("a", 1));
            assertThat(data.warnings()).isEmpty();
        }
    }

    @Test
    void a_json_array_has_the_same_rows() {
        try (Dataset data = open("a.json", """
                [
                  {"text": "one ]},{ \\" \\\\", "label": 1},
                  {"text": "two",
                   "label": 0}
                ]
                """)) {
            assertThat(data.detected()).startsWith("JSON array, classification");
            assertThat(rows(data)).containsExactly(text("one ]},{ \" \\", "1"), text("two", "0"));
            assertThat(data.place(1)).endsWith("a.json:3");
        }
    }

    @Test
    void csv_follows_rfc_4180_with_byte_order_mark_and_crlf() {
        try (Dataset data =
                open("a.csv", "\ufefftext,label\r\n\"a, \"\"b\"\"\r\nc\",x\r\nplain 5\" disk,y\r\n\r\n\"\"\"\",x")) {
            assertThat(data.detected()).isEqualTo("CSV, classification, fields text,label, 2 labels, 3 rows");
            assertThat(rows(data))
                    .containsExactly(text("a, \"b\"\r\nc", "x"), text("plain 5\" disk", "y"), text("\"", "x"));
            assertThat(data.place(1)).endsWith("a.csv:4");
            assertThat(data.place(2)).endsWith("a.csv:6");
        }
    }

    @Test
    void tsv_semicolons_and_old_line_ends_are_told_apart() {
        assertThat(open("a.tsv", "label\ttext\n1\ta,b\n0\tc\n").get(0)).isEqualTo(text("a,b", "1"));
        assertThat(open("a.txt", "label\ttext\n1\ta\n").detected()).startsWith("TSV");
        Dataset data = open("b.csv", "label;text\rx;a\ry;b\r");
        assertThat(data.detected()).startsWith("CSV with semicolons");
        assertThat(data.get(1)).isEqualTo(text("b", "y"));
        assertThat(data.place(1)).endsWith(":3");
        assertThat(open("c.csv", ",text,label\n0,a,x\n").detected()).endsWith("(not used: column 1)");
    }

    @Test
    void pairs_numbers_and_lists_of_labels_are_told_from_the_rows() {
        Dataset pairs = open("a.jsonl", "{\"sentence1\":\"a\",\"sentence2\":\"b\",\"label\":0}");
        assertThat(pairs.get(0)).isEqualTo(new Row.Text("a", "b", new Label.One("0")));
        assertThat(pairs.detected()).contains("fields sentence1,label,sentence2");
        Dataset scores = open("b.jsonl", "{\"text\":\"a\",\"label\":3}\n{\"text\":\"b\",\"label\":2.5}");
        assertThat(scores.labelKind()).isEqualTo(Label.Kind.SCORE);
        assertThat(scores.get(0).label()).isEqualTo(new Label.Score(3));
        assertThat(scores.detected()).contains("regression");
        Dataset many = open("c.jsonl", "{\"text\":\"a\",\"labels\":[\"x\",\"y\"]}\n{\"text\":\"b\",\"labels\":[]}");
        assertThat(many.get(0).label()).isEqualTo(new Label.Many(List.of("x", "y")));
        assertThat(many.get(1).label()).isEqualTo(new Label.Many(List.of()));
        assertThat(open("d.csv", "text,label\na,1.5\nb,2\n").get(1).label()).isEqualTo(new Label.Score(2));
        assertThat(open("e.csv", "text,label\na,01\nb,2\n").get(0).label()).isEqualTo(new Label.One("01"));
        assertThat(open("g.csv", "text,label\na,1\nb,2e-1\n").get(1).label()).isEqualTo(new Label.Score(0.2));
        assertThat(open("f.jsonl", "{\"text\":\"a\",\"label\":true}").get(0).label())
                .isEqualTo(new Label.One("true"));
    }

    @Test
    void stars_are_classes_unless_told_to_be_scores() {
        Path file = file("a.csv", "text,stars\ngood,5\nbad,1\n");
        DataOptions classes = new DataOptions(Map.of("label", "stars"), null, null);
        assertThat(Dataset.open(file, classes).get(0)).isEqualTo(text("good", "5"));
        assertThat(Dataset.open(file, classes).detected()).contains("fields text,stars");
        DataOptions scores = new DataOptions(Map.of("label", "stars"), null, Label.Kind.SCORE);
        assertThat(Dataset.open(file, scores).get(0).label()).isEqualTo(new Label.Score(5));
        assertThatThrownBy(() -> Dataset.open(file, new DataOptions(Map.of("label", "starz"), null, null)))
                .hasMessageContaining("columns maps label to starz, but the keys are [text, stars]");
    }

    @Test
    void chat_completions_and_token_ids_are_read() {
        assertThat(open("a.jsonl", RowShape.CHAT.sample()).get(0))
                .isEqualTo(new Row.Chat(List.of(new Message("user", "Hi"), new Message("assistant", "Hello!"))));
        Dataset completions = open("b.jsonl", RowShape.PROMPT_COMPLETION.sample());
        assertThat(completions.get(0)).isEqualTo(new Row.Completion("2 + 2 =", " 4"));
        assertThat(completions.detected()).isEqualTo("JSONL, prompt and completion, fields prompt,completion, 1 row");
        Row.Tokens tokens =
                (Row.Tokens) open("c.jsonl", RowShape.TOKENS.sample()).get(0);
        assertThat(tokens.ids()).containsExactly(1, 5, 9, 2);
        assertThat(tokens.labels()).containsExactly(-100, -100, 9, 2);
        Row.LabelledTokens labelled =
                (Row.LabelledTokens) open("d.jsonl", "{\"input_ids\":[101,7],\"attention_mask\":[1,1],\"label\":3}")
                        .get(0);
        assertThat(labelled.ids()).containsExactly(101, 7);
        assertThat(labelled.label()).isEqualTo(new Label.One("3"));
        assertThat(open("e.jsonl", "{\"text\":\"x\"}").shape()).isEqualTo(RowShape.TEXT);
    }

    @Test
    void conversations_of_sharegpt_and_openai_are_the_same_rows() {
        Row chat = new Row.Chat(List.of(Message.system("s"), Message.user("a"), Message.assistant("b")));
        Dataset sharegpt = open(
                "a.jsonl",
                "{\"system\":\"s\",\"conversations\":[{\"from\":\"human\",\"value\":\"a\"},{\"from\":\"gpt\",\"value\":\"b\"}],\"id\":1}");
        assertThat(sharegpt.get(0)).isEqualTo(chat);
        assertThat(sharegpt.detected()).isEqualTo("JSONL, chat, fields conversations,system, 1 row (not used: id)");
        assertThat(open(
                                "b.jsonl",
                                "{\"messages\":[{\"role\":\"developer\",\"content\":\"s\",\"name\":null},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]},{\"role\":\"assistant\",\"content\":\"b\"}]}")
                        .get(0))
                .isEqualTo(chat);
        assertThat(open(
                                "c.jsonl",
                                "{\"prompt\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"a\"}],\"completion\":[{\"role\":\"assistant\",\"content\":\"b\"}]}")
                        .get(0))
                .isEqualTo(chat);
    }

    @Test
    void tool_calls_have_arguments_as_objects_in_openais_form() {
        String calls =
                "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}}]},"
                        + "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"2\"},{\"role\":\"assistant\",\"content\":\"b\"}],\"tools\":\"[{\\\"name\\\":\\\"f\\\"}]\"}";
        Row.Chat row = (Row.Chat) open("a.jsonl", calls).get(0);
        assertThat(row.tools()).singleElement().hasToString("{\"name\":\"f\"}");
        assertThat(row.messages().get(1).fields().get("tool_calls"))
                .hasToString(
                        "[{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1}}}]");
        assertThat(row.messages().get(1).content()).isEmpty();
        Row.Chat sharegpt = (Row.Chat) open(
                        "b.jsonl",
                        "{\"conversations\":[{\"from\":\"human\",\"value\":\"a\"},{\"from\":\"function_call\",\"value\":\"{\\\"name\\\":\\\"f\\\",\\\"arguments\\\":{\\\"x\\\":1}}\"},{\"from\":\"observation\",\"value\":\"2\"}]}")
                .get(0);
        assertThat(sharegpt.messages().get(1).fields().get("tool_calls"))
                .hasToString("[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1}}}]");
        assertThat(sharegpt.messages().get(2).role()).isEqualTo("tool");
    }

    @Test
    void instructions_preferences_judgements_tags_and_questions_are_read() {
        assertThat(open("a.jsonl", RowShape.INSTRUCTION.sample()).get(0))
                .isEqualTo(new Row.Instruction("", "Translate to French", "Hello", "Bonjour"));
        assertThat(open("b.csv", "instruction,output\na,b\n").get(0)).isEqualTo(new Row.Instruction("", "a", "", "b"));
        Row pair = new Row.Preference(new Row.Completion("2 + 2 =", " 4"), new Row.Completion("2 + 2 =", " 5"));
        assertThat(open("c.jsonl", RowShape.PREFERENCE.sample()).get(0)).isEqualTo(pair);
        assertThat(open("d.jsonl", "{\"chosen\":\"2 + 2 = 4\",\"rejected\":\"2 + 2 = 5\"}")
                        .get(0))
                .as("the prompt is what both begin with, up to the space before the answers")
                .isEqualTo(pair);
        String user = "{\"role\":\"user\",\"content\":\"a\"}";
        Row chats = new Row.Preference(
                new Row.Chat(List.of(Message.user("a"), Message.assistant("b"))),
                new Row.Chat(List.of(Message.user("a"), Message.assistant("c"))));
        String b = "{\"role\":\"assistant\",\"content\":\"b\"}";
        String c = "{\"role\":\"assistant\",\"content\":\"c\"}";
        for (String row : List.of(
                "{\"prompt\":[" + user + "],\"chosen\":[" + b + "],\"rejected\":[" + c + "]}",
                "{\"chosen\":[" + user + "," + b + "],\"rejected\":[" + user + "," + c + "]}",
                "{\"prompt\":\"a\",\"chosen\":[" + user + "," + b + "],\"rejected\":[" + user + "," + c + "]}")) {
            assertThat(open("e.jsonl", row).get(0)).isEqualTo(chats);
        }
        Dataset judged = open("f.csv", "prompt,completion,label\na,b,TRUE\na,c,false\n");
        assertThat(judged.get(1)).isEqualTo(new Row.Judged(new Row.Completion("a", "c"), false));
        assertThat(judged.detected()).isEqualTo("CSV, judged answers, fields prompt,completion,label, 2 rows");
        Dataset words = open("g.jsonl", "{\"words\":[\"Ada\",\"wrote\"],\"ner_tags\":[3,0],\"pos_tags\":[1,2]}");
        assertThat(words.get(0)).isEqualTo(new Row.Words(List.of("Ada", "wrote"), new Label.Each(List.of("3", "0"))));
        assertThat(words.detected())
                .isEqualTo("JSONL, words with tags, fields words,ner_tags, 2 tags, 1 row (not used: pos_tags)");
        Dataset question = open(
                "h.jsonl",
                "{\"question\":\"Who?\",\"context\":\"\ud83d\ude00 Ada\",\"answers\":{\"text\":[\"Ada\"],\"answer_start\":[2]}}");
        assertThat(question.get(0))
                .as("places count code points")
                .isEqualTo(new Row.Question("Who?", "\ud83d\ude00 Ada", List.of(new Row.Answer("Ada", 3))));
        assertThat(open("i.jsonl", "{\"question\":\"Who?\",\"context\":\"a\",\"answers\":[]}")
                        .get(0))
                .isEqualTo(new Row.Question("Who?", "a", List.of()));
    }

    @Test
    void a_file_larger_than_the_sniffed_part_is_read_by_place() {
        String content = IntStream.range(0, 5000)
                .mapToObj(i -> "{\"text\":\"row " + i + "\",\"label\":" + i % 7 + "}")
                .collect(Collectors.joining("\n"));
        try (Dataset data = open("a.jsonl", content)) {
            assertThat(data.size()).isEqualTo(5000);
            IntStream.iterate(4999, i -> i >= 0, i -> i - 613)
                    .parallel()
                    .forEach(i -> assertThat(data.get(i)).isEqualTo(text("row " + i, Integer.toString(i % 7))));
            assertThat(Labels.of(data).names()).containsExactly("0", "1", "2", "3", "4", "5", "6");
        }
    }

    @Test
    void keys_that_fit_nothing_get_the_nearest_shape_and_the_fix() {
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
    void a_row_of_another_shape_is_named_with_its_line() {
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
    void a_bad_row_is_refused_with_file_and_line(String row, String message) {
        refused("a.jsonl", "{\"text\":\"fine\",\"label\":0}\n" + row + "\n", "a.jsonl:2", message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "{\"messages\":[]}|\"messages\" is [], expected a list",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}|no message is the assistant's",
                "{\"messages\":[{\"role\":\"user\",\"content\":null}]}|message 1: \"content\" is null, expected a string; fill it",
                "{\"messages\":[{\"role\":\"bot\",\"content\":\"a\"}]}|message 1 has the role \"bot\"",
                "{\"messages\":[{\"role\":\"assistant\",\"content\":\"\"}]}|message 1: \"content\" is empty",
                "{\"messages\":[{\"role\":\"user\",\"content\":[1]}]}|message 1: \"content\" is [1], expected a string",
                "{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\",\"weight\":0}]}|the key \"weight\", which is not read",
                "{\"messages\":[{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[]}]}|message 1: \"content\" is empty",
                "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"name\":\"f\",\"arguments\":\"{\"}]}]}|\"arguments\" is",
                "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{}]}]}|tool call 1: \"name\" is missing",
                "{\"conversations\":[{\"from\":\"human\",\"value\":\"a\"}]}|no message is the assistant's",
                "{\"conversations\":[{\"from\":\"narrator\",\"value\":\"a\"}]}|has the role \"narrator\", expected one of [system, user",
                "{\"conversations\":[{\"from\":\"gpt\",\"value\":\"a\"}],\"tools\":5}|\"tools\" is 5, expected a list",
                "{\"conversations\":[{\"from\":\"system\",\"value\":\"a\"},{\"from\":\"gpt\",\"value\":\"b\"}],\"system\":\"c\"}|and the first message is one too",
                "{\"instruction\":\"\",\"output\":\"a\"}|\"instruction\" is empty",
                "{\"instruction\":\"a\",\"output\":\"b\",\"input\":1}|\"input\" is 1, expected a string",
                "{\"chosen\":\"a\",\"rejected\":\"a\"}|are equal, so the row prefers nothing",
                "{\"chosen\":\"a\",\"rejected\":\"ab\"}|one answer continues the other",
                "{\"chosen\":\"a\",\"rejected\":[]}|is a list of messages, the other is not",
                "{\"chosen\":[{\"role\":\"user\",\"content\":\"a\"}],\"rejected\":[]}|the last message of \"chosen\" is not the assistant's",
                "{\"prompt\":\"a\",\"completion\":\"\",\"label\":true}|\"completion\" is empty",
                "{\"tokens\":[\"a\",\"b\"],\"ner_tags\":[\"O\"]}|\"tokens\" has 2 words, \"ner_tags\" has 1 tags",
                "{\"tokens\":[],\"tags\":[]}|\"tokens\" is [], expected a list of texts",
                "{\"question\":\"q\",\"context\":\"abc\",\"answers\":{\"text\":[\"b\"],\"answer_start\":[2]}}|doesn't stand at 2 of the context, where there is \"c\"",
                "{\"question\":\"q\",\"context\":\"abc\",\"answers\":{\"text\":[\"b\"],\"answer_start\":[9]}}|expected a whole number from 0 to 3",
                "{\"question\":\"q\",\"context\":\"abc\",\"answers\":{\"text\":[\"b\"]}}|expected such as {\"question\"",
                "{\"prompt\":\"a\",\"completion\":\"\"}|\"completion\" is empty",
                "{\"input_ids\":[1,2],\"labels\":[1]}|input_ids has 2 entries, labels has 1",
                "{\"input_ids\":[1,-2],\"labels\":[1,2]}|input_ids[1] is -2",
                "{\"input_ids\":[1,2],\"labels\":[1,-1]}|labels has -1, expected token ids, or -100",
                "{\"input_ids\":[1,2.5],\"labels\":[1,1]}|input_ids[1] is 2.5",
                "{\"input_ids\":[],\"labels\":[]}|input_ids is empty",
                "{\"input_ids\":[1,0],\"attention_mask\":[1,0],\"label\":1}|attention_mask hides tokens",
            })
    void a_bad_row_of_another_shape_is_refused(String row, String message) {
        refused("a.jsonl", row, "a.jsonl:1", message);
    }

    @Test
    void labels_of_one_file_are_of_one_kind() {
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
    void files_that_are_no_text_are_named() {
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
    void a_row_of_ten_megabytes_is_refused_with_its_line() {
        refused(
                "a.jsonl",
                "{\"text\":\"a\",\"label\":1}\n{\"text\":\"" + "x".repeat(10 << 20) + "\",\"label\":1}",
                "a.jsonl:2: this row has more than 8388608 bytes");
    }

    @Test
    void what_is_seldom_meant_is_a_warning() {
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
    void whole_scores_and_labels_that_are_nearly_the_same_are_warned_of() {
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
    void a_second_text_that_only_later_rows_have_is_refused() {
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
    void a_file_that_shrinks_while_in_use_is_an_error_not_a_wrong_row() throws IOException {
        Path path = file("a.csv", "text,label\nsome text,x\nsome more,y\n");
        try (Dataset data = Dataset.open(path)) {
            Files.write(path, new byte[5], StandardOpenOption.TRUNCATE_EXISTING);
            assertThatThrownBy(() -> data.get(1)).hasMessageContaining("became shorter while it was in use");
        }
    }

    @Test
    void columns_of_conll_are_sentences_of_words_with_tags() {
        String text = """
                -DOCSTART- -X- -X- O

                EU NNP B-NP B-ORG
                rejects VBZ B-VP O
                German JJ B-NP B-MISC

                Peter NNP B-NP B-PER
                """;
        Row.Words first =
                new Row.Words(List.of("EU", "rejects", "German"), new Label.Each(List.of("B-ORG", "O", "B-MISC")));
        try (Dataset data = open("eng.train", text)) {
            assertThat(data.detected())
                    .isEqualTo("CoNLL columns, words with tags, fields tokens,tags, 4 tags, 2 rows"
                            + " (not used: column 2,column 3)");
            assertThat(data.get(0)).isEqualTo(first);
            assertThat(data.place(1)).endsWith("eng.train:7");
        }
        DataOptions parts = new DataOptions(Map.of("tags", "column 2"), null, null);
        try (Dataset data = Dataset.open(file("crlf.conll", text.replace("\n", "\r\n")), parts)) {
            assertThat(data.get(0).label()).isEqualTo(new Label.Each(List.of("NNP", "VBZ", "JJ")));
        }
        assertThat(open("tabs.bio", "a b\tB-X\nc\tO\n").get(0))
                .isEqualTo(new Row.Words(List.of("a b", "c"), new Label.Each(List.of("B-X", "O"))));
        refused("short.conll", "a B-X\nb\n", "short.conll:2", "has 1 column, expected 2 as the line before has");
        refused("alone.conll", "a\n", "alone.conll:1", "expected a word and its tag");
        refused("empty.conll", "\n-DOCSTART- O\n\n", "has no rows");
    }

    @Test
    void the_files_of_squad_are_questions_with_their_texts() {
        String text = """
                {"version": "v2.0", "data": [{"title": "t", "paragraphs": [{"context": "\ud83d\ude00 Ada wrote it.", "qas": [
                  {"id": "1", "question": "Who?", "answers": [{"text": "Ada", "answer_start": 2}], "is_impossible": false},
                  {"id": "2", "question": "Why?", "answers": [], "plausible_answers": [{"text": "it", "answer_start": 12}],
                   "is_impossible": true}]}]}]}
                """;
        try (Dataset data = open("dev-v2.0.json", text)) {
            assertThat(data.detected())
                    .isEqualTo("SQuAD JSON, questions on a text, fields question,context,answers, 2 rows");
            Row.Question first = (Row.Question) data.get(0);
            assertThat(first.answers()).containsExactly(new Row.Answer("Ada", 3));
            assertThat(((Row.Question) data.get(1)).answers()).isEmpty();
            assertThat(data.leavesOpen()).isTrue();
        }
        Row.Question bare =
                (Row.Question) open("ask.jsonl", RowShape.UNANSWERED.sample()).get(0);
        assertThat(bare.answers()).isNull();
        assertThat(open("words.jsonl", RowShape.UNTAGGED.sample()).get(0).label())
                .isNull();
        refused(
                "rows.json",
                "{\"data\": [{\"text\": \"a\", \"label\": 1}]}",
                "rows.json: data[0]",
                "has the keys [text, label], but a list under \"data\" is read as SQuAD's articles",
                "write rows as a list of their own");
        refused("bad.json", "{\"data\": [{\"paragraphs\": 3}]}", "bad.json: data[0]", "\"paragraphs\" is 3");
        refused(
                "moved.json",
                text.replace("\"answer_start\": 2", "\"answer_start\": 3"),
                "doesn't stand at 3 of the context");
    }
}
