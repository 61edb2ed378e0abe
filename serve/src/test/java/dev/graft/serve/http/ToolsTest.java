package dev.graft.serve.http;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.Fields;
import dev.graft.formats.Json;
import dev.graft.models.chat.Chat;
import dev.graft.models.chat.ChatTemplate;
import dev.graft.models.chat.Message;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.models.tokenizers.Tokenizers;
import dev.graft.serve.engine.Engine;
import dev.graft.serve.tools.AssistantMessage;
import dev.graft.serve.tools.MessageDelta;
import dev.graft.serve.tools.ToolCallParser;
import dev.graft.serve.tools.Tools;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

@Timeout(120)
class ToolsTest extends WithTinyChat {
    private static final String WEATHER =
            "{\"type\": \"function\", \"function\": {\"name\": \"weather\", \"description\": \"How it is\","
                    + " \"parameters\": {\"type\": \"object\", \"properties\": {\"hot\": {\"type\": \"boolean\"},"
                    + " \"when\": {\"type\": \"string\", \"enum\": [\"now\", \"later\"]}}, \"required\": [\"hot\","
                    + " \"when\"]}}}";
    private static final String CLOCK = "{\"type\": \"function\", \"function\": {\"name\": \"clock\"}}";

    private static String chat(String messages, String more) {
        return "{\"model\": \"tiny\", \"temperature\": 0, \"max_tokens\": 600, \"messages\": [" + messages + "]" + more
                + "}";
    }

    private static String hello(String more) {
        return chat("{\"role\": \"user\", \"content\": \"Hello\"}", more);
    }

    private static String tools(String choice) {
        return ", \"tools\": [" + WEATHER + ", " + CLOCK + "], \"tool_choice\": " + choice;
    }

    private static final String CHOSEN = "{\"type\": \"function\", \"function\": {\"name\": \"weather\"}}";

    private static void assertWeather(JsonNode function) {
        assertThat(function.path("name").stringValue()).isEqualTo("weather");
        JsonNode arguments = Json.parse("arguments", function.path("arguments").stringValue());
        assertThat(arguments.propertyNames()).containsExactly("hot", "when");
        assertThat(arguments.path("hot").isBoolean()).isTrue();
        assertThat(arguments.path("when").stringValue()).isIn("now", "later");
    }

    @Test
    void aChosenFunctionIsCalledAsItsSchemaSays() {
        JsonNode choice = client.post("/v1/chat/completions", hello(tools(CHOSEN)))
                .json()
                .path("choices")
                .path(0);

        assertThat(choice.path("finish_reason").stringValue()).as("%s", choice).isEqualTo("tool_calls");
        assertThat(choice.path("message").path("content").isNull()).isTrue();
        JsonNode calls = choice.path("message").path("tool_calls");
        assertThat(calls.size()).isEqualTo(1);
        assertThat(calls.path(0).path("id").stringValue()).startsWith("call_");
        assertThat(calls.path(0).path("type").stringValue()).isEqualTo("function");
        assertWeather(calls.path(0).path("function"));
    }

    @Test
    void someFunctionIsCalledWhereOneMustBe() {
        List<String> names = new ArrayList<>();
        for (int seed = 0; seed < 12; seed++) {
            JsonNode function = client.post(
                            "/v1/chat/completions",
                            hello(tools("\"required\"") + ", \"seed\": " + seed)
                                    .replace("\"temperature\": 0", "\"temperature\": 1.5"))
                    .json()
                    .path("choices")
                    .path(0)
                    .path("message")
                    .path("tool_calls")
                    .path(0)
                    .path("function");
            names.add(function.path("name").stringValue());
            if (function.path("name").stringValue().equals("clock")) {
                assertThat(Json.parse("arguments", function.path("arguments").stringValue()))
                        .isEmpty();
            } else {
                assertWeather(function);
            }
        }
        assertThat(names).contains("clock", "weather");
    }

    private static List<JsonNode> choices(Client.Reply stream) {
        return stream.events().stream()
                .filter(event -> !event.equals("[DONE]"))
                .map(event -> Json.parse("event", event).at("/choices/0"))
                .toList();
    }

    @Test
    void aStreamHasTheCallOfTheWholeAnswer() {
        int needed = client.post("/v1/chat/completions", hello(tools(CHOSEN)))
                .json()
                .at("/usage/completion_tokens")
                .intValue();
        for (int tokens : new int[] {600, needed - 5}) {
            String ask = hello(tools(CHOSEN)).replace("600", "" + tokens);
            JsonNode whole = client.post("/v1/chat/completions", ask).json().at("/choices/0");
            List<JsonNode> choices = choices(client.post(
                    "/v1/chat/completions",
                    hello(tools(CHOSEN) + ", \"stream\": true").replace("600", "" + tokens)));
            List<JsonNode> calls = choices.stream()
                    .map(choice -> choice.at("/delta/tool_calls/0"))
                    .filter(call -> !call.isMissingNode())
                    .toList();

            assertThat(calls)
                    .hasSizeGreaterThan(2)
                    .allSatisfy(
                            call -> assertThat(call.path("index").intValue()).isZero());
            assertThat(calls.get(0).path("id").stringValue()).startsWith("call_");
            assertThat(calls.get(0).path("type").stringValue()).isEqualTo("function");
            assertThat(calls.get(0).path("function"))
                    .isEqualTo(Json.parse("function", "{\"name\": \"weather\", \"arguments\": \"\"}"));
            assertThat(calls.subList(1, calls.size()))
                    .allSatisfy(call -> assertThat(call.propertyNames()).containsExactly("index", "function"));
            assertThat(calls.stream()
                            .map(call -> call.at("/function/arguments").stringValue())
                            .collect(Collectors.joining()))
                    .isEqualTo(
                            whole.at("/message/tool_calls/0/function/arguments").stringValue());
            assertThat(choices.get(choices.size() - 1).path("finish_reason").stringValue())
                    .isEqualTo(whole.path("finish_reason").stringValue())
                    .isEqualTo(tokens == 600 ? "tool_calls" : "length");
            assertThat(choices)
                    .allSatisfy(choice ->
                            assertThat(choice.at("/delta/content").asString("")).isEmpty());
        }
    }

    @Test
    void everyTokenOfACallHasItsProbability() {
        String more = tools(CHOSEN) + ", \"logprobs\": true";
        JsonNode whole = client.post("/v1/chat/completions", hello(more)).json().at("/choices/0/logprobs/content");
        List<JsonNode> streamed =
                choices(client.post("/v1/chat/completions", hello(more + ", \"stream\": true"))).stream()
                        .flatMap(choice -> choice.at("/logprobs/content").valueStream())
                        .toList();
        assertThat(streamed).hasSizeGreaterThan(20).containsExactlyElementsOf(whole);
    }

    @Test
    void aModelThatCallsNothingAnswers() {
        JsonNode plain = client.post("/v1/chat/completions", hello("")).json().at("/choices/0/message/content");
        for (String choice : List.of("\"none\"", "\"auto\"")) {
            JsonNode answer =
                    client.post("/v1/chat/completions", hello(tools(choice))).json();
            assertThat(answer.at("/choices/0/message/tool_calls").isMissingNode())
                    .isTrue();
            assertThat(answer.at("/choices/0/message/content").equals(plain))
                    .as("the model sees the tools unless none may be called")
                    .isEqualTo(choice.equals("\"none\""));
        }
    }

    @Test
    void whatCallsGaveGoesBackIntoTheTemplate() {
        String call = "{\"role\": \"assistant\", \"content\": null, \"tool_calls\": [{\"id\": \"call_1\", \"type\":"
                + " \"function\", \"function\": {\"name\": \"weather\", \"arguments\": \"{\\\"city\\\":"
                + " \\\"Ulm\\\"}\"}}]}";
        String gave = "{\"role\": \"tool\", \"tool_call_id\": \"call_1\", \"content\": \"hot\"}";
        int tokens = client.post("/v1/chat/completions", chat(call + ", " + gave, ""))
                .json()
                .at("/usage/prompt_tokens")
                .intValue();
        int without = client.post("/v1/chat/completions", chat(call.replace("Ulm", "") + ", " + gave, ""))
                .json()
                .at("/usage/prompt_tokens")
                .intValue();
        assertThat(tokens).isGreaterThan(without);
    }

    @Test
    void callsThatATemplateLeavesOutAreRefused() {
        Tokenizer tokenizer = Tokenizers.load(Path.of("../parity/fixtures/tokens/splitbpe"));
        Chat chat = new Chat(
                ChatTemplate.of(
                        "plain",
                        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}",
                        tokenizer.specialTokens()),
                tokenizer);
        Message call = Message.of(Json.parse(
                "call",
                "{\"role\": \"assistant\", \"content\": \"\", \"tool_calls\": [{\"function\": {\"name\":"
                        + " \"f\", \"arguments\": {}}}]}"));

        assertThatThrownBy(() -> Tools.prompt(chat, List.of(Message.user("of f"), call), null))
                .hasMessageContaining("leaves out tools and their calls: \"f\"");
        assertThat(Tools.prompt(chat, List.of(Message.user("of f")), null).length())
                .isPositive();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                ", \"tool_choice\": \"auto\" | there are no tools",
                ", \"tools\": [@], \"tool_choice\": \"sometimes\" | none, auto, required or a function",
                ", \"tools\": [@], \"tool_choice\": {\"type\": \"function\", \"function\": {\"name\": \"x\"}} | none"
                        + " of the tools",
                ", \"tools\": [@, @] | two functions of one name",
                ", \"tools\": [{\"type\": \"retrieval\"}] | type is \"retrieval\", expected",
                ", \"tools\": [@], \"response_format\": {\"type\": \"json_object\"} | one of them must go",
                ", \"tools\": [@], \"tool_choice\": \"required\", \"stop\": \"a\" | neither with stop",
                ", \"functions\": [{\"name\": \"f\"}] | use tools"
            })
    void whatCanNotBeHonouredIsRefused(String more, String why) {
        Client.Reply reply = client.post("/v1/chat/completions", hello(more.replace("@", CLOCK)));
        assertThat(reply.status()).isEqualTo(400);
        assertThat(reply.error()).contains(why);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{{ messages[0].content }}",
                "{% for t in tools %}[TOOL_CALLS]{% endfor %}",
                "{% for t in tools %}[{\"tool_name\": x, \"parameters\": y}]{% endfor %}"
            })
    void aTemplateWithoutToolsRefusesThem(String template) throws IOException {
        Tokenizer tokenizer = tiny.base.tokenizer();
        Chat chat = new Chat(ChatTemplate.of("the test", template, tokenizer.specialTokens()), tokenizer);
        try (Engine engine = new Engine(tiny.base, tokenizer, new Engine.Options(8, 64, 16, 1 << 20));
                Server server = Server.forGeneration(engine, tiny.adapters, chat, new Metrics(), TinyChat.options())) {
            Client.Reply reply = new Client(server.address()).post("/v1/chat/completions", hello(tools("\"auto\"")));
            assertThat(reply.status()).isEqualTo(400);
            assertThat(reply.error()).contains("the chat template of this base");
        }
    }

    /** Of templates that models have; GLM's calls have tags of their own, Mistral's a token. */
    @ParameterizedTest
    @CsvSource({
        "tools-qwen25, TAGGED",
        "header-tools-llama31, BARE",
        "arguments-glm,",
        "inst-tools-mistral,",
        "roles-granite,",
        "xml-nemotron,",
        "chatml,"
    })
    void aTemplateSaysHowCallsAreWritten(String name, Tools.CallFormat format) {
        ChatTemplate template = template(name);
        if (format == null) {
            assertThatThrownBy(() -> Tools.CallFormat.of(template))
                    .hasMessageContaining("the chat template of this base");
        } else {
            assertThat(Tools.CallFormat.of(template)).isEqualTo(format);
        }
    }

    @Test
    void aTextMayEndWithItsFirstCall() {
        for (boolean several : List.of(true, false)) {
            String request = hello(tools("\"auto\"") + ", \"parallel_tool_calls\": " + several);
            CompletionRequest read = CompletionRequest.read(
                    Fields.of("the request", Json.parse("the request", request)),
                    template("tools-qwen25"),
                    Limits.DEFAULT,
                    300);
            assertThat(read.tools()).isNotNull().returns(several, tools -> ToolCallParser.stopCondition(tools) == null);
        }
        endsWith(Tools.CallFormat.TAGGED, "<tool_call>\n{\"name\": \"clock\", \"arguments\": {}}\n</tool_call>");
        endsWith(
                Tools.CallFormat.TAGGED,
                "A clock. <tool_call>{\"name\": \"clock\", \"arguments\": {\"of\": \"</tool_call>\"}}</tool_call>");
        endsWith(
                Tools.CallFormat.TAGGED,
                "<tool_call>{\"name\": \"none\", \"arguments\": {}}</tool_call>"
                        + "<tool_call>{\"arguments\": {}, \"name\": \"clock\"}</tool_call>");
        endsWith(Tools.CallFormat.BARE, "{\"name\": \"clock\", \"parameters\": {\"of\": \"}\"}}");
    }

    /** The text ends with its last character, and what follows isn't told. */
    private static void endsWith(Tools.CallFormat format, String text) {
        Tools tools = new Tools(List.of(), List.of("clock"), format, List.of(), false);
        Predicate<String> end = requireNonNull(ToolCallParser.stopCondition(tools));
        ToolCallParser told = new ToolCallParser(tools);
        List<MessageDelta> pieces = new ArrayList<>();
        for (int i = 0; i < text.length(); i++) {
            String character = text.substring(i, i + 1);
            assertThat(end.test(character)).as("%s", text.substring(0, i + 1)).isEqualTo(i + 1 == text.length());
            pieces.addAll(told.append(character));
        }
        pieces.addAll(told.append("more"));
        pieces.addAll(told.finish());
        assertThat(AssistantMessage.of(pieces).toolCalls())
                .extracting(Tools.ToolCall::name)
                .containsExactly("clock");
        assertThat(AssistantMessage.of(pieces).content()).doesNotContain("more");
        assertThat(told.hasToolCalls()).isTrue();
    }

    private static ChatTemplate template(String name) {
        JsonNode fixture = Json.read(Path.of("../parity/fixtures/chat/template-" + name + ".json"));
        return ChatTemplate.of(
                name,
                fixture.path("template").stringValue(),
                tiny.base.tokenizer().specialTokens());
    }

    @Test
    void aBareCallIsHeldToItsSchemaToo() throws IOException {
        String template = "{% for t in tools %}{{ t | tojson }}{% endfor %}{\"name\": x, \"parameters\": y}{{"
                + " messages[0].content }}";
        Tokenizer tokenizer = tiny.base.tokenizer();
        Chat chat = new Chat(ChatTemplate.of("the test", template, tokenizer.specialTokens()), tokenizer);
        try (Engine engine = new Engine(tiny.base, tokenizer, new Engine.Options(8, 64, 16, 1 << 20));
                Server server = Server.forGeneration(engine, tiny.adapters, chat, new Metrics(), TinyChat.options())) {
            assertWeather(new Client(server.address())
                    .post("/v1/chat/completions", hello(tools(CHOSEN)))
                    .json()
                    .at("/choices/0/message/tool_calls/0/function"));
        }
    }
}
