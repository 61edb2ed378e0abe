package dev.graft.langchain4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.Json;
import dev.graft.models.chat.Message;
import dev.graft.models.generate.GeneratedText;
import dev.graft.serve.GenerationListener;
import dev.graft.serve.TokenLogprob;
import dev.graft.serve.engine.Engine;
import dev.graft.serve.tools.ToolCallParser;
import dev.graft.serve.tools.Tools;
import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.agent.tool.ToolSpecification;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ToolExecutionResultMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ResponseFormat;
import dev.langchain4j.model.chat.request.ToolChoice;
import dev.langchain4j.model.chat.request.json.JsonBooleanSchema;
import dev.langchain4j.model.chat.request.json.JsonEnumSchema;
import dev.langchain4j.model.chat.request.json.JsonObjectSchema;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.CompleteToolCall;
import dev.langchain4j.model.output.FinishReason;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

@Timeout(60)
class ToolCallsTest {
    private static final ToolSpecification WEATHER = ToolSpecification.builder()
            .name("weather")
            .description("How it is")
            .parameters(JsonObjectSchema.builder()
                    .addProperty(
                            "hot",
                            JsonBooleanSchema.builder()
                                    .description("whether it is")
                                    .build())
                    .addProperty(
                            "when",
                            JsonEnumSchema.builder().enumValues("now", "later").build())
                    .required("hot", "when")
                    .build())
            .build();
    private static final ToolSpecification CLOCK =
            ToolSpecification.builder().name("clock").build();

    private static GraftModels models;

    @BeforeAll
    static void open(@TempDir Path folder) throws IOException {
        TinyLlama tiny = TinyLlama.in(folder);
        models = GraftModels.chats(tiny.adapters(), tiny.chat(), new Engine.Options(8, 64, 16, 1 << 20));
    }

    @AfterAll
    static void close() {
        models.close();
    }

    private static ChatRequest.Builder request(ToolChoice choice) {
        return ChatRequest.builder()
                .messages(UserMessage.from("Hello"))
                .toolSpecifications(WEATHER)
                .toolChoice(choice)
                .maxOutputTokens(600);
    }

    private static void assertWeather(ChatResponse response) {
        assertThat(response.finishReason()).as("%s", response).isEqualTo(FinishReason.TOOL_EXECUTION);
        assertThat(response.aiMessage().text()).isNull();
        assertThat(response.aiMessage().toolExecutionRequests()).hasSize(1);
        ToolExecutionRequest call = response.aiMessage().toolExecutionRequests().get(0);
        assertThat(call.name()).isEqualTo("weather");
        assertThat(call.id()).startsWith("call_");
        JsonNode arguments = Json.parse("arguments", call.arguments());
        assertThat(arguments.propertyNames()).containsExactly("hot", "when");
        assertThat(arguments.path("hot").isBoolean()).isTrue();
        assertThat(arguments.path("when").stringValue()).isIn("now", "later");
    }

    @Test
    void aCallThatMustComeIsHeldToItsSchema() {
        assertWeather(models.chat("poet").chat(request(ToolChoice.REQUIRED).build()));
    }

    @Test
    void aStreamTellsWholeCalls() throws Exception {
        RecordingHandler heard = new RecordingHandler();
        models.streamingChat("poet").chat(request(ToolChoice.REQUIRED).build(), heard);
        ChatResponse response = heard.response();

        assertWeather(response);
        assertThat(heard.pieces).isEmpty();
        assertThat(heard.calls)
                .extracting(CompleteToolCall::toolExecutionRequest)
                .isEqualTo(response.aiMessage().toolExecutionRequests());
    }

    @Test
    void theModelIsShownToolsUnlessNoneMayBeCalled() {
        ChatResponse plain = models.chat("poet")
                .chat(ChatRequest.builder()
                        .messages(UserMessage.from("Hello"))
                        .maxOutputTokens(600)
                        .build());
        ChatResponse none = models.chat("poet").chat(request(ToolChoice.NONE).build());
        ChatResponse auto = models.chat("poet").chat(request(ToolChoice.AUTO).build());

        assertThat(none.aiMessage()).isEqualTo(plain.aiMessage());
        assertThat(none.tokenUsage()).isEqualTo(plain.tokenUsage());
        assertThat(auto.tokenUsage().inputTokenCount())
                .isGreaterThan(plain.tokenUsage().inputTokenCount() + 100);
        assertThat(auto.aiMessage().text()).isNotEmpty();
    }

    @Test
    void callsAndTheirResultsAreTurnsOfTheConversation() {
        ToolExecutionRequest call = ToolExecutionRequest.builder()
                .id("call_1")
                .name("clock")
                .arguments("{\"zone\": \"UTC\"}")
                .build();
        Message asked = MessageConverter.of(AiMessage.from(call));
        assertThat(asked.role()).isEqualTo("assistant");
        assertThat(asked.fields().get("tool_calls"))
                .hasToString(
                        "[{\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"clock\",\"arguments\":{\"zone\":\"UTC\"}}}]");
        Message told = MessageConverter.of(ToolExecutionResultMessage.from(call, "noon"));
        assertThat(told.fields())
                .containsEntry("role", "tool")
                .containsEntry("tool_call_id", "call_1")
                .containsEntry("name", "clock")
                .containsEntry("content", "noon");

        ChatResponse answer = models.chat("poet")
                .chat(ChatRequest.builder()
                        .messages(
                                UserMessage.from("Hello"),
                                AiMessage.from(call),
                                ToolExecutionResultMessage.from(call, "noon"))
                        .toolSpecifications(CLOCK)
                        .maxOutputTokens(20)
                        .build());
        assertThat(answer.aiMessage().text()).isNotEmpty();
    }

    @Test
    void callsWithoutArgumentsAndNamesOfUsersAreKept() {
        AiMessage blank = AiMessage.from(ToolExecutionRequest.builder()
                .id("c")
                .name("clock")
                .arguments("")
                .build());

        assertThat(MessageConverter.of(blank).fields().get("tool_calls").toString())
                .contains("\"arguments\":{}");
        assertThat(MessageConverter.of(UserMessage.from("ann", "Hello")).fields())
                .containsEntry("name", "ann")
                .containsEntry("content", "Hello");
    }

    /** What a model writes that chooses to call. */
    @Test
    void textBeforeCallsIsToldAndEachCallOfSeveralIsFound() {
        List<String> emitted = new ArrayList<>();
        CompletableFuture<ChatResponse> whole = new CompletableFuture<>();
        Tools tools = new Tools(List.of(), List.of("clock"), Tools.CallFormat.TAGGED, List.of(), true);
        GenerationListener listener = ChatRequests.listener(
                "poet",
                new ToolCallParser(tools),
                () -> {},
                emitted::add,
                whole::complete,
                whole::completeExceptionally);
        String call = "<tool_call>\n{\"name\": \"clock\", \"arguments\": {\"n\": %d}}\n</tool_call>\n";
        String text = "Let me see.\n" + call.formatted(1) + call.formatted(2);
        for (String piece : text.split("(?<=\\s)")) {
            listener.onToken(new TokenLogprob(1, Double.NaN, List.of()), piece);
        }
        listener.onFinish(new GenerationListener.Result(
                new GeneratedText(new int[3], text, dev.graft.models.generate.FinishReason.END_TOKEN), 5, 0));

        AiMessage answer = whole.join().aiMessage();
        assertThat(String.join("", emitted).strip()).isEqualTo("Let me see.");
        assertThat(answer.text().strip()).isEqualTo("Let me see.");
        assertThat(answer.toolExecutionRequests())
                .extracting(ToolExecutionRequest::arguments)
                .containsExactly("{\"n\": 1}", "{\"n\": 2}");
        assertThat(whole.join().finishReason()).isEqualTo(FinishReason.TOOL_EXECUTION);
    }

    @Test
    void whatToolsCanNotBeTogetherWithIsRefused() {
        assertThatThrownBy(() -> models.chat("poet")
                        .chat(request(ToolChoice.AUTO)
                                .responseFormat(ResponseFormat.JSON)
                                .build()))
                .isInstanceOf(UnsupportedFeatureException.class)
                .hasMessageContaining("tools");
        assertThatThrownBy(() -> models.chat("poet")
                        .chat(request(ToolChoice.REQUIRED)
                                .stopSequences(List.of("}"))
                                .build()))
                .isInstanceOf(UnsupportedFeatureException.class)
                .hasMessageContaining("stopSequences");
        assertThatThrownBy(() -> models.chat("poet")
                        .chat(request(ToolChoice.AUTO)
                                .toolSpecifications(WEATHER, WEATHER)
                                .build()))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("two functions of one name");
    }
}
