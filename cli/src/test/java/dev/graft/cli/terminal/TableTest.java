package dev.graft.cli.terminal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TableTest {

    @Test
    void textIsFlushLeftAndNumbersAreFlushRight() {
        Table table = new Table("method", "accuracy", "size", "note")
                .row("lora", 0.765, "1.5 MiB", "best")
                .row("ia3", "-", "12 KiB", "");

        assertThat(table).hasToString("""
                        method  accuracy     size  note
                        lora       0.765  1.5 MiB  best
                        ia3            -   12 KiB
                        """);
    }

    @Test
    void columnsAlignByWhatATerminalShows() {
        Table table =
                new Table("text", "n").row("日本", 1).row("e\u0301t\u00e9", 22).row("👍🏽x", 3);

        assertThat(table.toString().lines())
                .containsExactly("text    n", "日本    1", "e\u0301t\u00e9    22", "👍🏽x   3");
    }

    @Test
    void aTableWithoutNamesHasNoHeader() {
        assertThat(new Table("", "").row("a\n  b", "c")).hasToString("a b  c\n");
        assertThat(new Table("a", "b")).hasToString("a  b\n");
    }

    @Test
    void aRowOfAnotherLengthIsRefused() {
        assertThatThrownBy(() -> new Table("a").row("x", "y")).hasMessage("2 cells for 1 columns");
    }

    @ParameterizedTest
    @CsvSource({"abc,3", "日本語,6", "ｱ,1", "Ａ,2", "한,2", "é,1", "🙂,2", "𠀀,2", "₂,1", "✅,2"})
    void widthIsThatOfUnicode(String text, int width) {
        assertThat(TextWidth.of(text)).isEqualTo(width);
    }
}
