package dev.graft.serve.tools;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ToolTextTest {
    private static final String CALL = "{\"name\": \"weather\", \"arguments\": {\"city\": \"Ulm\"}}";
    private static final String TAGGED = "<tool_call>\n" + CALL + "\n</tool_call>";
    private static final String ARGUMENTS = "{\"city\": \"Ulm\"}";

    private static Tools tools(Tools.Form form) {
        return new Tools(List.of(), List.of("weather"), form, List.of(), true);
    }

    /** What is told of a text that grows by so many characters at a time. */
    private static List<Piece> pieces(Tools.Form form, String text, int step) {
        ToolText grows = new ToolText(tools(form));
        List<Piece> told = new ArrayList<>();
        for (int i = 0; i < text.length(); i += step) {
            told.addAll(grows.take(text.substring(i, Math.min(text.length(), i + step))));
        }
        told.addAll(grows.end());
        return told;
    }

    private static Told told(Tools.Form form, String text, int step) {
        return Told.of(pieces(form, text, step));
    }

    private static List<String> arguments(Told told) {
        assertThat(told.calls())
                .allSatisfy(call -> assertThat(call.name()).isEqualTo("weather"))
                .allSatisfy(call -> assertThat(call.id()).startsWith("call_"));
        return told.calls().stream().map(Tools.Call::arguments).toList();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 1000})
    void callsAreTakenOutOfATextHoweverItGrows(int step) {
        Told told = told(
                Tools.Form.TAGGED,
                "I look. " + TAGGED + "\n<tool_call>" + CALL.replace("Ulm", "Bonn") + "</tool_call>",
                step);

        assertThat(told.said()).isEqualTo("I look. ");
        assertThat(arguments(told)).containsExactly(ARGUMENTS, "{\"city\": \"Bonn\"}");
        assertThat(told.calls()).extracting(Tools.Call::id).doesNotHaveDuplicates();
    }

    @Test
    void aCallIsToldAsItIsWritten() {
        ToolText grows = new ToolText(tools(Tools.Form.TAGGED));
        assertThat(grows.take("I look.\n<tool_call>\n{\"name\": \"weather\", "))
                .containsExactly(new Piece.Said("I look.\n"));
        assertThat(grows.endsWithCalls()).isFalse();
        List<Piece> begun = grows.take("\"arguments\": {\"ci");
        assertThat(grows.endsWithCalls()).isFalse();
        assertThat(begun)
                .hasSize(2)
                .first()
                .isInstanceOfSatisfying(
                        Piece.Begun.class, call -> assertThat(call.name()).isEqualTo("weather"));
        assertThat(begun).last().isEqualTo(new Piece.Arguments(0, "{\"ci"));
        assertThat(grows.take("ty\": \"U")).containsExactly(new Piece.Arguments(0, "ty\": \"U"));
        assertThat(grows.take("lm\"}}\n</tool_call>\n<tool_call>" + CALL))
                .satisfiesExactly(
                        end -> assertThat(end).isEqualTo(new Piece.Arguments(0, "lm\"}")),
                        next -> assertThat(next)
                                .isInstanceOfSatisfying(
                                        Piece.Begun.class,
                                        call -> assertThat(call.index()).isEqualTo(1)),
                        all -> assertThat(all).isEqualTo(new Piece.Arguments(1, ARGUMENTS)));
        assertThat(grows.end()).isEmpty();
        assertThat(grows.endsWithCalls()).isTrue();
    }

    static Stream<String> texts() {
        return Stream.of(
                "\n\n" + TAGGED + "\n" + TAGGED + "\n",
                TAGGED + "\n and " + TAGGED + " then",
                " <tool_call>{\"name\": \"nobody\"}</tool_call> " + TAGGED,
                "<tool_call>" + CALL + "<tool_call>" + CALL,
                "<tool_call>{\"arguments\": {\"a\": [1, 2]}, \"name\": \"weather\"}</tool_call>" + TAGGED,
                "<tool_call>{\"name\": \"weather\", \"arguments\": {\"a\": \"}\\\"</tool_call>{\"}, \"id\": 3}</tool_call>",
                "<tool_call>{\"name\": \"weather\", \"arguments\": {\"a\": [1, {</tool_call>" + TAGGED,
                "<tool_call>{\"name\": \"weather\", \"parameters\": {\"a\": Ulm]}} </tool_call> so");
    }

    @ParameterizedTest
    @MethodSource("texts")
    void aCutTextIsTheSameHoweverItGrows(String text) {
        for (int end = 0; end <= text.length(); end++) {
            String cut = text.substring(0, end);
            for (Tools.Form form : Tools.Form.values()) {
                Told whole = told(form, cut, 1000);
                for (int step : new int[] {1, 2, 5}) {
                    Told grown = told(form, cut, step);
                    assertThat(grown.said()).as(cut).isEqualTo(whole.said());
                    assertThat(arguments(grown)).as(cut).isEqualTo(arguments(whole));
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "{\"city\": \"U | {\"city\": \"U",
                "{\"city\": Ulm}}</tool_call> | {\"city\": Ulm}",
                "{\"at\": [1, </tool_call> | {\"at\": [1, ",
                "{\"a\": \"}</tool_call>\\\"{\"}}</tool_call> | {\"a\": \"}</tool_call>\\\"{\"}",
                "{}, \"id\": {\"x\": 3}}</tool_call> | {}",
            })
    void argumentsAreAsTheModelWroteThemCutOrBroken(String written, String arguments) {
        String text = "<tool_call>{\"name\": \"weather\", \"arguments\": " + written;
        Told told = told(Tools.Form.TAGGED, text, 1);
        assertThat(told.said()).isEmpty();
        assertThat(told.calls()).extracting(call -> call.arguments().strip()).containsExactly(arguments);
    }

    @Test
    void aCallWhoseArgumentsComeFirstIsToldWhole() {
        String text = "<tool_call>{\"arguments\": {\"city\": \"Ulm\"}, \"name\": \"weather\"}</tool_call>";
        List<Piece> pieces = pieces(Tools.Form.TAGGED, text, 1);
        assertThat(pieces).hasSize(2).last().isEqualTo(new Piece.Arguments(0, "{\"city\":\"Ulm\"}"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "a < b",
                " a <tool_cal",
                "\n<tool_call>{\"name\": \"nobody\", \"arguments\": {}}</tool_call>",
                "<tool_call>{\"name\": \"weather\"}</tool_call> and more",
                "<tool_call>{\"name\": ",
                "{\"name\": \"weather\", \"arguments\": {}}",
                "\n"
            })
    void whatIsNoCallIsSaid(String text) {
        assertThat(told(Tools.Form.TAGGED, text, 2)).isEqualTo(new Told(text, List.of()));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4, 1000})
    void whatFollowsACallThatItsTagDoesNotEndIsSaid(int step) {
        Told told = told(Tools.Form.TAGGED, "<tool_call>" + CALL + "\nIt is warm.", step);
        assertThat(told.said()).isEqualTo("It is warm.");
        assertThat(arguments(told)).containsExactly(ARGUMENTS);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 1000})
    void aTextOfOneCallEndsWithIt(int step) {
        ToolText grows = new ToolText(new Tools(List.of(), List.of("weather"), Tools.Form.TAGGED, List.of(), false));
        List<Piece> told = new ArrayList<>();
        String text = "I look. <tool_call>" + CALL + TAGGED + " So.";
        for (int i = 0; i < text.length(); i += step) {
            told.addAll(grows.take(text.substring(i, Math.min(text.length(), i + step))));
        }
        told.addAll(grows.end());

        assertThat(Told.of(told).said()).isEqualTo("I look. ");
        assertThat(arguments(Told.of(told))).containsExactly(ARGUMENTS);
    }

    @Test
    void aCallMayEndWithItsText() {
        assertThat(arguments(told(Tools.Form.TAGGED, "<tool_call>\n" + CALL + "\n", 4)))
                .containsExactly(ARGUMENTS);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 1000})
    void aBareObjectIsACall(int step) {
        Told told = told(Tools.Form.BARE, "\n" + CALL.replace("arguments", "parameters"), step);
        assertThat(told.said()).isEmpty();
        assertThat(arguments(told)).containsExactly(ARGUMENTS);
        assertThat(told(Tools.Form.BARE, CALL + "\nSo {it} is.", step).said()).isEqualTo("\nSo {it} is.");

        assertThat(told(Tools.Form.BARE, "It is {hot}.", step)).isEqualTo(new Told("It is {hot}.", List.of()));
        assertThat(told(Tools.Form.BARE, "{hot}", step)).isEqualTo(new Told("{hot}", List.of()));
    }

    @Test
    void whatIsCertainIsSaidAtOnce() {
        ToolText tagged = new ToolText(tools(Tools.Form.TAGGED));
        assertThat(tagged.take("Well, <")).containsExactly(new Piece.Said("Well, "));
        assertThat(tagged.take("b>")).containsExactly(new Piece.Said("<b>"));
        assertThat(new ToolText(tools(Tools.Form.BARE)).take("Well {")).containsExactly(new Piece.Said("Well {"));
        assertThat(new ToolText(null).take("<tool_call>")).containsExactly(new Piece.Said("<tool_call>"));
    }
}
