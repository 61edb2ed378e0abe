package dev.graft.train.data.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.models.chat.Message;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.Label;
import dev.graft.train.data.Labels;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowShape;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class DatasetTest extends DatasetFiles {
    @Test
    void classificationOfJsonlIsDetectedAndStated() {
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
    void aJsonArrayHasTheSameRows() {
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
    void csvFollowsRfc4180WithByteOrderMarkAndCrlf() {
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
    void tsvSemicolonsAndOldLineEndsAreToldApart() {
        assertThat(open("a.tsv", "label\ttext\n1\ta,b\n0\tc\n").get(0)).isEqualTo(text("a,b", "1"));
        assertThat(open("a.txt", "label\ttext\n1\ta\n").detected()).startsWith("TSV");
        Dataset data = open("b.csv", "label;text\rx;a\ry;b\r");
        assertThat(data.detected()).startsWith("CSV with semicolons");
        assertThat(data.get(1)).isEqualTo(text("b", "y"));
        assertThat(data.place(1)).endsWith(":3");
        assertThat(open("c.csv", ",text,label\n0,a,x\n").detected()).endsWith("(not used: column 1)");
    }

    @Test
    void pairsNumbersAndListsOfLabelsAreToldFromTheRows() {
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
    void starsAreClassesUnlessToldToBeScores() {
        Path file = file("a.csv", "text,stars\ngood,5\nbad,1\n");
        DataOptions classes = DataOptions.DETECT.withColumns(Map.of("label", "stars"));
        assertThat(Dataset.open(file, classes).get(0)).isEqualTo(text("good", "5"));
        assertThat(Dataset.open(file, classes).detected()).contains("fields text,stars");
        DataOptions scores = DataOptions.labelled(Label.Kind.SCORE).withColumns(Map.of("label", "stars"));
        assertThat(Dataset.open(file, scores).get(0).label()).isEqualTo(new Label.Score(5));
        assertThatThrownBy(() -> Dataset.open(file, DataOptions.DETECT.withColumns(Map.of("label", "starz"))))
                .hasMessageContaining("columns maps label to starz, but the keys are [text, stars]");
    }

    @Test
    void chatCompletionsAndTokenIdsAreRead() {
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
    void conversationsOfSharegptAndOpenaiAreTheSameRows() {
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
    void toolCallsHaveArgumentsAsObjectsInOpenaisForm() {
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
    void instructionsPreferencesJudgementsTagsAndQuestionsAreRead() {
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
                "{\"question\":\"Who?\",\"context\":\"\ud83d\ude00"
                        + " Ada\",\"answers\":{\"text\":[\"Ada\"],\"answer_start\":[2]}}");
        assertThat(question.get(0))
                .as("places count code points")
                .isEqualTo(new Row.Question("Who?", "\ud83d\ude00 Ada", List.of(new Row.Answer("Ada", 3))));
        assertThat(open("i.jsonl", "{\"question\":\"Who?\",\"context\":\"a\",\"answers\":[]}")
                        .get(0))
                .isEqualTo(new Row.Question("Who?", "a", List.of()));
    }

    @Test
    void aFileLargerThanTheSniffedPartIsReadByPlace() {
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
    void columnsOfConllAreSentencesOfWordsWithTags() {
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
        DataOptions parts = DataOptions.DETECT.withColumns(Map.of("tags", "column 2"));
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
    void theFilesOfSquadAreQuestionsWithTheirTexts() {
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
            assertThat(data.hasUnanswerable()).isTrue();
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
