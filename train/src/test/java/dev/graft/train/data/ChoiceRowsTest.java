package dev.graft.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.models.tokenizers.Tokenizers;
import dev.graft.train.data.files.Dataset;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChoiceRowsTest {
    private static final Tokenizer BERT = Tokenizers.load(Path.of("../parity/fixtures/tokens/wordpiece"));

    @TempDir
    private Path folder;

    private Row first(String name, String content) throws IOException {
        try (Dataset data = Dataset.open(Files.writeString(folder.resolve(name), content))) {
            return data.get(0);
        }
    }

    @Test
    void rowsOfKnownSetsAreReadAsTheyAre() throws IOException {
        Row own = new Row.Choice("She opened the door and", List.of("went in.", "ate it."), 0);
        assertThat(first("own.jsonl", RowShape.CHOICE.sample())).isEqualTo(own);
        assertThat(first("bare.jsonl", RowShape.UNSOLVED.sample()).shape()).isEqualTo(RowShape.UNSOLVED);
        assertThat(first("swag.csv", "sent1,sent2,ending0,ending1,label\nOne day.,She,sat.,ran.,1\n"))
                .isEqualTo(new Row.Choice("One day.", List.of("She sat.", "She ran."), 1));
        assertThat(first(
                        "copa.jsonl",
                        "{\"premise\": \"It fell.\", \"choice1\": \"a\", \"choice2\": \"b\", \"question\": \"cause\","
                                + " \"idx\": 0, \"label\": 1}"))
                .isEqualTo(new Row.Choice("It fell. cause", List.of("a", "b"), 1));
        assertThat(first("swag.jsonl", "{\"ctx\": \"a\", \"endings\": [\"b\", \"c\"], \"label\": \"1\"}"))
                .isEqualTo(new Row.Choice("a", List.of("b", "c"), 1));
        assertThat(first("mmlu.jsonl", "{\"question\": \"a?\", \"choices\": [\"b\", \"c\"], \"answer\": 1}"))
                .isEqualTo(new Row.Choice("a?", List.of("b", "c"), 1));
        assertThat(first(
                        "arc.jsonl",
                        "{\"question\": \"a?\", \"choices\": {\"text\": [\"b\", \"c\"], \"label\": [\"1\", \"2\"]},"
                                + " \"answerKey\": \"2\"}"))
                .isEqualTo(new Row.Choice("a?", List.of("b", "c"), 1));
        assertThat(first(
                        "race.jsonl",
                        "{\"article\": \"x.\", \"question\": \"a?\", \"options\": [\"b\", \"c\"], \"answer\": \"B\"}"))
                .isEqualTo(new Row.Choice("x. a?", List.of("b", "c"), 1));
    }

    @Test
    void whatIsNoChoiceIsRefused() {
        assertThatThrownBy(() -> first("a.jsonl", RowShape.CHOICE.sample().replace(": 0", ": 2")))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("\"correct\" is 2, expected the number of a choice from 0 to 1");
        assertThatThrownBy(() -> first("b.jsonl", "{\"stem\": \"a\", \"choices\": [\"b\"], \"correct\": 0}"))
                .hasMessageContaining("there are 1 choices");
        MultipleChoiceEncoder three = new MultipleChoiceEncoder(BERT, 3);
        assertThatThrownBy(() -> three.encode(0, new Row.Choice("a", List.of("b", "c"), 0), "a:2", 99))
                .hasMessageContaining("a:2: the row has 2 choices, the first row has 3");
        assertThatThrownBy(() -> three.encode(0, new Row.Choice("a", List.of("b", "c"), null), "a:2", 99))
                .hasMessageContaining("the rows are questions with choices, unsolved");
    }

    @Test
    void eachChoiceIsAPairWithTheStem() {
        Example example = new MultipleChoiceEncoder(BERT, 2)
                .encode(0, new Row.Choice("the tree", List.of("is", "on"), 1), "a:1", 99);
        assertThat(example.others()).hasSize(1);
        assertThat(BERT.decode(example.ids(), false)).isEqualTo("[CLS] the tree [SEP] is [SEP]");
        assertThat(BERT.decode(example.others().get(0).ids(), false)).isEqualTo("[CLS] the tree [SEP] on [SEP]");
        assertThat(example.lossTerms()).isEqualTo(1);
        assertThat(example.typeIds()).contains(1);
    }
}
