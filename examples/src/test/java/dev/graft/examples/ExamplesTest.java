package dev.graft.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExamplesTest {
    private static final String TINY = "file:../parity/fixtures/bases/bert-base";

    @TempDir
    private Path folder;

    private static String output(Runnable program) {
        PrintStream before = System.out;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
        try {
            program.run();
        } finally {
            System.setOut(before);
        }
        return printed.toString(StandardCharsets.UTF_8);
    }

    @Test
    void tenLinesTrainSaveLoadAndPredict() {
        Path out = folder.resolve("adapter");

        String good = output(() -> TenLines.main(
                new String[] {TINY, "reviews.jsonl", out.toString(), "Lovely rooms, kind people, a quiet street."}));
        String bad = output(() -> TenLines.main(
                new String[] {TINY, "reviews.jsonl", out.toString(), "They never answered and kept my money."}));

        assertThat(good).contains("label=good");
        assertThat(bad).contains("label=bad");
        assertThat(out.resolve("adapter_config.json")).exists();
    }

    @Test
    void theReadMeShowsTheTenLines() throws Exception {
        String source = Files.readString(Path.of("src/main/java/dev/graft/examples/TenLines.java"));
        int start = source.indexOf("    static TextClassifier train");
        String end = "\n    }\n";
        String method = source.substring(start, source.indexOf(end, start) + end.length())
                .stripTrailing()
                .stripIndent();

        assertThat(method.lines().skip(1).filter(line -> line.endsWith(";"))).hasSize(10);
        assertThat(Files.readString(Path.of("../README.md"))).contains(method);
    }

    @Test
    void twoAdaptersAnswerInOneBatchAsEachDoesAlone() {
        Base base = TwoAdapters.base(TINY);
        String before = base.checksum();
        Adapter praise = TwoAdapters.praise(base);
        Adapter food = TwoAdapters.food(base);
        String text = "The soup was cold and bad.";

        float[][] mixed = TwoAdapters.ask(base, text, Selection.of(praise), Selection.of(food), Selection.BASE);

        assertThat(TwoAdapters.answer(mixed[0])).isEqualTo("no");
        assertThat(TwoAdapters.answer(mixed[1])).isEqualTo("yes");
        assertThat(mixed[0]).containsExactly(TwoAdapters.ask(base, text, Selection.of(praise))[0], within(1e-5f));
        assertThat(mixed[1]).containsExactly(TwoAdapters.ask(base, text, Selection.of(food))[0], within(1e-5f));
        assertThat(mixed[2]).containsExactly(TwoAdapters.ask(base, text, Selection.BASE)[0], within(1e-5f));
        assertThat(base.checksum()).isEqualTo(before);
    }

    @Test
    void theProgramOfTwoAdaptersPrintsBothAnswers() {
        String printed = output(() -> TwoAdapters.main(new String[] {TINY, "The film was funny and clever."}));

        assertThat(printed.lines()).containsExactly("praise: yes", "food:   no");
    }
}
