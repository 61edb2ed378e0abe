package dev.graft.serve.tools;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ToolTextTest {
    private static final String CALL = "{\"name\": \"weather\", \"arguments\": {\"city\": \"Ulm\"}}";

    private record Told(String said, List<Tools.Call> calls) {}

    private static Tools tools(Tools.Form form) {
        return new Tools(List.of(), List.of("weather"), form, List.of(), true);
    }

    /** What is told of a text that grows by so many characters at a time. */
    private static Told told(Tools.Form form, String text, int step) {
        ToolText grows = new ToolText(tools(form));
        StringBuilder said = new StringBuilder();
        for (int i = 0; i < text.length(); i += step) {
            said.append(grows.take(text.substring(i, Math.min(text.length(), i + step))));
        }
        ToolText.Rest rest = grows.end();
        return new Told(said + rest.said(), rest.calls());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 1000})
    void callsAreTakenOutOfATextHoweverItGrows(int step) {
        Told told = told(
                Tools.Form.TAGGED,
                "I look. <tool_call>\n" + CALL + "\n</tool_call>\n<tool_call>" + CALL.replace("Ulm", "Bonn")
                        + "</tool_call>",
                step);

        assertThat(told.said).isEqualTo("I look. ");
        assertThat(told.calls).extracting(Tools.Call::name).containsExactly("weather", "weather");
        assertThat(told.calls)
                .extracting(Tools.Call::arguments)
                .containsExactly("{\"city\":\"Ulm\"}", "{\"city\":\"Bonn\"}");
        assertThat(told.calls).extracting(Tools.Call::id).doesNotHaveDuplicates();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "a < b",
                "a <tool_cal",
                "<tool_call>{\"name\": \"nobody\", \"arguments\": {}}</tool_call>",
                "<tool_call>{\"name\": \"weather\"}</tool_call> and more",
                "<tool_call>{\"name\": ",
                "{\"name\": \"weather\", \"arguments\": {}}"
            })
    void whatIsNoCallIsSaid(String text) {
        assertThat(told(Tools.Form.TAGGED, text, 2)).isEqualTo(new Told(text, List.of()));
    }

    @Test
    void aCallMayEndWithItsText() {
        assertThat(told(Tools.Form.TAGGED, "<tool_call>\n" + CALL + "\n", 4).calls)
                .hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 1000})
    void aBareObjectIsACall(int step) {
        Told told = told(Tools.Form.BARE, "\n" + CALL.replace("arguments", "parameters"), step);
        assertThat(told.said).isEmpty();
        assertThat(told.calls).extracting(Tools.Call::arguments).containsExactly("{\"city\":\"Ulm\"}");

        assertThat(told(Tools.Form.BARE, "It is {hot}.", step)).isEqualTo(new Told("It is {hot}.", List.of()));
        assertThat(told(Tools.Form.BARE, "{hot}", step)).isEqualTo(new Told("{hot}", List.of()));
    }

    @Test
    void whatIsCertainIsSaidAtOnce() {
        ToolText tagged = new ToolText(tools(Tools.Form.TAGGED));
        assertThat(tagged.take("Well, <")).isEqualTo("Well, ");
        assertThat(tagged.take("b>")).isEqualTo("<b>");
        assertThat(new ToolText(tools(Tools.Form.BARE)).take("Well {")).isEqualTo("Well {");
        assertThat(new ToolText(null).take("<tool_call>")).isEqualTo("<tool_call>");
    }
}
