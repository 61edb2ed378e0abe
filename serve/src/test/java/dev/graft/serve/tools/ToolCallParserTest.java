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

class ToolCallParserTest {
    private static final String CALL = "{\"name\": \"weather\", \"arguments\": {\"city\": \"Ulm\"}}";
    private static final String TAGGED = "<tool_call>\n" + CALL + "\n</tool_call>";
    private static final String ARGUMENTS = "{\"city\": \"Ulm\"}";

    private static Tools tools(Tools.CallFormat format) {
        return new Tools(List.of(), List.of("weather"), format, List.of(), true);
    }

    /** What is told of a text that grows by so many characters at a time. */
    private static List<MessageDelta> pieces(Tools.CallFormat format, String text, int step) {
        ToolCallParser grows = new ToolCallParser(tools(format));
        List<MessageDelta> emitted = new ArrayList<>();
        for (int i = 0; i < text.length(); i += step) {
            emitted.addAll(grows.append(text.substring(i, Math.min(text.length(), i + step))));
        }
        emitted.addAll(grows.finish());
        return emitted;
    }

    private static AssistantMessage told(Tools.CallFormat format, String text, int step) {
        return AssistantMessage.of(pieces(format, text, step));
    }

    private static List<String> arguments(AssistantMessage assistantMessage) {
        assertThat(assistantMessage.toolCalls())
                .allSatisfy(call -> assertThat(call.name()).isEqualTo("weather"))
                .allSatisfy(call -> assertThat(call.id()).startsWith("call_"));
        return assistantMessage.toolCalls().stream()
                .map(Tools.ToolCall::arguments)
                .toList();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 1000})
    void callsAreTakenOutOfATextHoweverItGrows(int step) {
        AssistantMessage assistantMessage = told(
                Tools.CallFormat.TAGGED,
                "I look. " + TAGGED + "\n<tool_call>" + CALL.replace("Ulm", "Bonn") + "</tool_call>",
                step);

        assertThat(assistantMessage.content()).isEqualTo("I look. ");
        assertThat(arguments(assistantMessage)).containsExactly(ARGUMENTS, "{\"city\": \"Bonn\"}");
        assertThat(assistantMessage.toolCalls()).extracting(Tools.ToolCall::id).doesNotHaveDuplicates();
    }

    @Test
    void aCallIsToldAsItIsWritten() {
        ToolCallParser grows = new ToolCallParser(tools(Tools.CallFormat.TAGGED));
        assertThat(grows.append("I look.\n<tool_call>\n{\"name\": \"weather\", "))
                .containsExactly(new MessageDelta.TextDelta("I look.\n"));
        assertThat(grows.hasToolCalls()).isFalse();
        List<MessageDelta> begun = grows.append("\"arguments\": {\"ci");
        assertThat(grows.hasToolCalls()).isFalse();
        assertThat(begun)
                .hasSize(2)
                .first()
                .isInstanceOfSatisfying(
                        MessageDelta.ToolCallStart.class,
                        call -> assertThat(call.name()).isEqualTo("weather"));
        assertThat(begun).last().isEqualTo(new MessageDelta.ToolCallArguments(0, "{\"ci"));
        assertThat(grows.append("ty\": \"U")).containsExactly(new MessageDelta.ToolCallArguments(0, "ty\": \"U"));
        assertThat(grows.append("lm\"}}\n</tool_call>\n<tool_call>" + CALL))
                .satisfiesExactly(
                        end -> assertThat(end).isEqualTo(new MessageDelta.ToolCallArguments(0, "lm\"}")),
                        next -> assertThat(next)
                                .isInstanceOfSatisfying(
                                        MessageDelta.ToolCallStart.class,
                                        call -> assertThat(call.index()).isEqualTo(1)),
                        all -> assertThat(all).isEqualTo(new MessageDelta.ToolCallArguments(1, ARGUMENTS)));
        assertThat(grows.finish()).isEmpty();
        assertThat(grows.hasToolCalls()).isTrue();
    }

    static Stream<String> texts() {
        return Stream.of(
                "\n\n" + TAGGED + "\n" + TAGGED + "\n",
                TAGGED + "\n and " + TAGGED + " then",
                " <tool_call>{\"name\": \"nobody\"}</tool_call> " + TAGGED,
                "<tool_call>" + CALL + "<tool_call>" + CALL,
                "<tool_call>{\"arguments\": {\"a\": [1, 2]}, \"name\": \"weather\"}</tool_call>" + TAGGED,
                "<tool_call>{\"name\": \"weather\", \"arguments\": {\"a\": \"}\\\"</tool_call>{\"}, \"id\":"
                        + " 3}</tool_call>",
                "<tool_call>{\"name\": \"weather\", \"arguments\": {\"a\": [1, {</tool_call>" + TAGGED,
                "<tool_call>{\"name\": \"weather\", \"parameters\": {\"a\": Ulm]}} </tool_call> so");
    }

    @ParameterizedTest
    @MethodSource("texts")
    void aCutTextIsTheSameHoweverItGrows(String text) {
        for (int end = 0; end <= text.length(); end++) {
            String cut = text.substring(0, end);
            for (Tools.CallFormat format : Tools.CallFormat.values()) {
                AssistantMessage whole = told(format, cut, 1000);
                for (int step : new int[] {1, 2, 5}) {
                    AssistantMessage grown = told(format, cut, step);
                    assertThat(grown.content()).as(cut).isEqualTo(whole.content());
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
        AssistantMessage assistantMessage = told(Tools.CallFormat.TAGGED, text, 1);
        assertThat(assistantMessage.content()).isEmpty();
        assertThat(assistantMessage.toolCalls())
                .extracting(call -> call.arguments().strip())
                .containsExactly(arguments);
    }

    @Test
    void aCallWhoseArgumentsComeFirstIsToldWhole() {
        String text = "<tool_call>{\"arguments\": {\"city\": \"Ulm\"}, \"name\": \"weather\"}</tool_call>";
        List<MessageDelta> pieces = pieces(Tools.CallFormat.TAGGED, text, 1);
        assertThat(pieces).hasSize(2).last().isEqualTo(new MessageDelta.ToolCallArguments(0, "{\"city\":\"Ulm\"}"));
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
        assertThat(told(Tools.CallFormat.TAGGED, text, 2)).isEqualTo(new AssistantMessage(text, List.of()));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4, 1000})
    void whatFollowsACallThatItsTagDoesNotEndIsSaid(int step) {
        AssistantMessage assistantMessage = told(Tools.CallFormat.TAGGED, "<tool_call>" + CALL + "\nIt is warm.", step);
        assertThat(assistantMessage.content()).isEqualTo("It is warm.");
        assertThat(arguments(assistantMessage)).containsExactly(ARGUMENTS);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 1000})
    void aTextOfOneCallEndsWithIt(int step) {
        ToolCallParser grows =
                new ToolCallParser(new Tools(List.of(), List.of("weather"), Tools.CallFormat.TAGGED, List.of(), false));
        List<MessageDelta> emitted = new ArrayList<>();
        String text = "I look. <tool_call>" + CALL + TAGGED + " So.";
        for (int i = 0; i < text.length(); i += step) {
            emitted.addAll(grows.append(text.substring(i, Math.min(text.length(), i + step))));
        }
        emitted.addAll(grows.finish());

        assertThat(AssistantMessage.of(emitted).content()).isEqualTo("I look. ");
        assertThat(arguments(AssistantMessage.of(emitted))).containsExactly(ARGUMENTS);
    }

    @Test
    void aCallMayEndWithItsText() {
        assertThat(arguments(told(Tools.CallFormat.TAGGED, "<tool_call>\n" + CALL + "\n", 4)))
                .containsExactly(ARGUMENTS);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 1000})
    void aBareObjectIsACall(int step) {
        AssistantMessage assistantMessage =
                told(Tools.CallFormat.BARE, "\n" + CALL.replace("arguments", "parameters"), step);
        assertThat(assistantMessage.content()).isEmpty();
        assertThat(arguments(assistantMessage)).containsExactly(ARGUMENTS);
        assertThat(told(Tools.CallFormat.BARE, CALL + "\nSo {it} is.", step).content())
                .isEqualTo("\nSo {it} is.");

        assertThat(told(Tools.CallFormat.BARE, "It is {hot}.", step))
                .isEqualTo(new AssistantMessage("It is {hot}.", List.of()));
        assertThat(told(Tools.CallFormat.BARE, "{hot}", step)).isEqualTo(new AssistantMessage("{hot}", List.of()));
    }

    @Test
    void whatIsCertainIsSaidAtOnce() {
        ToolCallParser tagged = new ToolCallParser(tools(Tools.CallFormat.TAGGED));
        assertThat(tagged.append("Well, <")).containsExactly(new MessageDelta.TextDelta("Well, "));
        assertThat(tagged.append("b>")).containsExactly(new MessageDelta.TextDelta("<b>"));
        assertThat(new ToolCallParser(tools(Tools.CallFormat.BARE)).append("Well {"))
                .containsExactly(new MessageDelta.TextDelta("Well {"));
        assertThat(new ToolCallParser(null).append("<tool_call>"))
                .containsExactly(new MessageDelta.TextDelta("<tool_call>"));
    }
}
