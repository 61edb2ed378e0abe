package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChatCommandTest {
    @TempDir
    private static Path folder;

    private static Path model;

    @BeforeAll
    static void makeModel() throws IOException {
        model = TinyLlama.write(folder.resolve("model"));
    }

    private static Cli chat(String input, Object... more) {
        List<Object> arguments =
                new ArrayList<>(List.of("chat", "-m", model, "--dtype", "fp32", "--max-new-tokens", 6));
        arguments.addAll(List.of(more));
        return Cli.runWith(input, arguments.toArray());
    }

    private static List<String> answers(Cli run) {
        return run.out()
                .lines()
                .map(line -> Json.parse("answer", line).get("ids").toString())
                .toList();
    }

    @Test
    void everyLineOfAPipeIsATurn() {
        List<String> answers = answers(chat("hello\n\nhello\n/reset\nhello\n/exit\nhello\n", "--json"));
        assertThat(answers).hasSize(3);
        // The second turn sees the first; after a reset the model is asked the same as at the start.
        assertThat(answers.get(1)).isNotEqualTo(answers.get(0));
        assertThat(answers.get(2)).isEqualTo(answers.get(0));
    }

    @Test
    void aSystemMessageChangesTheAnswerAndCanBeSetLater() {
        List<String> given = answers(chat("hello\n", "--json", "--system", "be brief"));
        List<String> later = answers(chat("hello\n/system be brief\nhello\n/system\nhello\n", "--json"));
        assertThat(later.get(1)).isEqualTo(given.get(0)).isNotEqualTo(later.get(0));
        assertThat(later.get(2)).isEqualTo(later.get(0));
    }

    @Test
    void verboseSaysHowFastItWas() {
        Cli run = chat("hello\n", "--verbose");
        assertThat(run.code()).isZero();
        assertThat(run.err())
                .containsPattern("6 tokens, \\S+ tokens/s, cut at the length allowed\n6 tokens in \\d+\\.\\d s, ");
    }

    @Test
    void theOldestTurnsAreForgottenWhereTheModelCanReadNoMore() {
        Cli run = chat("one two three four five six\n".repeat(8), "--json");
        assertThat(run.code()).isZero();
        assertThat(answers(run)).hasSize(8);
        assertThat(run.err())
                .contains("the model can read " + TinyLlama.POSITIONS + " tokens; the oldest turn is forgotten");
    }

    @Test
    void aTurnThatIsTooLongIsRefusedAndTheNextOneAnswered() {
        Cli run = chat("word ".repeat(200) + "\nhello\n", "--json");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("can take " + TinyLlama.POSITIONS);
        assertThat(answers(run)).isEqualTo(answers(chat("hello\n", "--json")));
    }

    @Test
    void anUnknownCommandIsNotSentToTheModel() {
        Cli run = chat("/rset\n", "--json");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).contains("/rset is no command; there are /reset, /system TEXT and /exit");
    }

    @Test
    void aModelWithoutATemplateIsRefused() {
        Cli run = Cli.runWith("hello\n", "chat", "-m", Cli.base("bert-seqcls"));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("generating text needs CAUSAL_LM");
    }
}
