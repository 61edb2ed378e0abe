package dev.graft.langchain4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.withPrecision;

import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.serve.adapters.AdapterStore;
import dev.graft.serve.adapters.Adapters;
import dev.graft.serve.engine.EncoderEngine;
import dev.graft.serve.engine.Engine;
import dev.graft.serve.http.Metrics;
import dev.graft.serve.http.Server;
import dev.graft.serve.http.ServerOptions;
import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.agent.tool.ToolSpecification;
import dev.langchain4j.data.embedding.Embedding;
import dev.langchain4j.data.message.ToolExecutionResultMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.data.segment.TextSegment;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.ModelNotFoundException;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.request.ResponseFormat;
import dev.langchain4j.model.chat.request.ResponseFormatType;
import dev.langchain4j.model.chat.request.ToolChoice;
import dev.langchain4j.model.chat.request.json.JsonObjectSchema;
import dev.langchain4j.model.chat.request.json.JsonSchema;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.openai.OpenAiChatModel;
import dev.langchain4j.model.openai.OpenAiEmbeddingModel;
import dev.langchain4j.model.openai.OpenAiStreamingChatModel;
import dev.langchain4j.model.output.FinishReason;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** LangChain4j's client for OpenAI on Graft's server: it says what the models in the same process say. */
@Timeout(60)
class OpenAiClientTest {
    private static final ServerOptions OPTIONS = ServerOptions.DEFAULT.withPort(0);

    private static Engine engine;
    private static Server server;
    private static GraftModels models;

    @BeforeAll
    static void start(@TempDir Path folder) throws IOException {
        TinyLlama tiny = TinyLlama.in(folder);
        Engine.Options options = new Engine.Options(8, 64, 16, 1 << 20);
        Metrics metrics = new Metrics();
        engine = new Engine(tiny.adapters().base(), tiny.adapters().base().tokenizer(), options, metrics);
        server = Server.forGeneration(engine, tiny.adapters(), tiny.chat(), metrics, OPTIONS);
        models = GraftModels.chats(tiny.adapters(), tiny.chat(), options);
    }

    @AfterAll
    static void stop() {
        server.close();
        engine.close();
        models.close();
    }

    private static OpenAiChatModel client(String model) {
        return client(model, 20);
    }

    private static OpenAiChatModel client(String model, int tokens) {
        return OpenAiChatModel.builder()
                .baseUrl(server.address() + "/v1")
                .apiKey("none")
                .modelName(model)
                .temperature(0.0)
                .maxTokens(tokens)
                .maxRetries(0)
                .build();
    }

    private static ChatRequest request(String text) {
        return ChatRequest.builder()
                .messages(UserMessage.from(text))
                .parameters(ChatRequestParameters.builder().maxOutputTokens(20).build())
                .build();
    }

    @Test
    void anAnswerIsThatOfTheModelInProcess() {
        ChatResponse expected = models.chat("poet").chat(request("Hello"));
        ChatResponse answer = client("poet").chat(UserMessage.from("Hello"));

        assertThat(answer.aiMessage().text()).isEqualTo(expected.aiMessage().text());
        assertThat(answer.aiMessage().text())
                .isNotEqualTo(client("tiny")
                        .chat(UserMessage.from("Hello"))
                        .aiMessage()
                        .text());
        assertThat(answer.modelName()).isEqualTo("poet");
        assertThat(answer.finishReason()).isEqualTo(expected.finishReason());
        assertThat(answer.tokenUsage().inputTokenCount())
                .isEqualTo(expected.tokenUsage().inputTokenCount());
        assertThat(answer.tokenUsage().outputTokenCount())
                .isEqualTo(expected.tokenUsage().outputTokenCount());
    }

    @Test
    void aStreamIsTheAnswerPieceByPiece() throws Exception {
        RecordingHandler heard = new RecordingHandler();
        OpenAiStreamingChatModel.builder()
                .baseUrl(server.address() + "/v1")
                .apiKey("none")
                .modelName("poet")
                .temperature(0.0)
                .maxTokens(20)
                .build()
                .chat("Hello", heard);
        ChatResponse answer = heard.response();

        String told = String.join("", heard.pieces);
        assertThat(told).isEqualTo(client("poet").chat("Hello"));
        assertThat(answer.aiMessage().text()).isEqualTo(told);
        assertThat(answer.tokenUsage().outputTokenCount()).isPositive();
    }

    @Test
    void aJsonObjectIsOneOrIsCut() {
        ChatResponse answer = client("tiny")
                .chat(ChatRequest.builder()
                        .messages(UserMessage.from("Hello"))
                        .responseFormat(ResponseFormat.JSON)
                        .build());
        assertThat(answer.aiMessage().text().stripLeading()).startsWith("{");
        assertThat(answer.finishReason()).isIn(FinishReason.STOP, FinishReason.LENGTH);
    }

    @Test
    void aJsonTextIsAsItsSchemaSays() {
        JsonSchema schema = JsonSchema.builder()
                .name("poem")
                .rootElement(JsonObjectSchema.builder()
                        .addEnumProperty("mood", List.of("glad", "sad"))
                        .addBooleanProperty("rhymed")
                        .required("mood", "rhymed")
                        .build())
                .build();
        ChatResponse answer = client("tiny", 200)
                .chat(ChatRequest.builder()
                        .messages(UserMessage.from("Hello"))
                        .responseFormat(ResponseFormat.builder()
                                .type(ResponseFormatType.JSON)
                                .jsonSchema(schema)
                                .build())
                        .build());
        JsonNode poem = JsonMapper.shared().readTree(answer.aiMessage().text());
        assertThat(poem.propertyNames()).containsExactly("mood", "rhymed");
        assertThat(poem.path("mood").stringValue()).isIn("glad", "sad");
        assertThat(poem.path("rhymed").isBoolean()).isTrue();
    }

    @Test
    void aToolIsCalledAndItsResultComesBack() {
        ToolSpecification weather = ToolSpecification.builder()
                .name("weather")
                .description("How it is")
                .parameters(JsonObjectSchema.builder()
                        .addEnumProperty("when", List.of("now", "later"))
                        .required("when")
                        .build())
                .build();
        ChatResponse called = client("tiny", 300)
                .chat(ChatRequest.builder()
                        .messages(UserMessage.from("Hello"))
                        .toolSpecifications(weather)
                        .toolChoice(ToolChoice.REQUIRED)
                        .build());
        ToolExecutionRequest call = called.aiMessage().toolExecutionRequests().get(0);

        assertThat(called.finishReason()).isEqualTo(FinishReason.TOOL_EXECUTION);
        assertThat(call.name()).isEqualTo("weather");
        assertThat(JsonMapper.shared().readTree(call.arguments()).path("when").stringValue())
                .isIn("now", "later");
        ChatResponse told = client("tiny", 4)
                .chat(ChatRequest.builder()
                        .messages(
                                UserMessage.from("Hello"),
                                called.aiMessage(),
                                ToolExecutionResultMessage.from(call, "hot"))
                        .toolSpecifications(weather)
                        .build());
        assertThat(told.tokenUsage().inputTokenCount())
                .isGreaterThan(called.tokenUsage().inputTokenCount());
    }

    @Test
    void refusalsComeAsLangChain4jsKinds() {
        assertThatThrownBy(() -> client("nobody").chat("Hello")).isInstanceOf(ModelNotFoundException.class);
        assertThatThrownBy(() -> client("poet").chat("Hello you there ".repeat(100)))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("context_length_exceeded");
    }

    @Test
    void vectorsAreThoseOfTheModelInProcess() throws IOException {
        Base bert = Base.load(Path.of("../parity/fixtures/bases/bert-base"), Base.Options.of(Task.FEATURE_EXTRACTION));
        Adapters adapters = new Adapters(bert, "bert", AdapterStore.NONE);
        List<TextSegment> texts = List.of(TextSegment.from("a b"), TextSegment.from("b"), TextSegment.from("a b c"));
        try (EncoderEngine reader = new EncoderEngine(bert, EncoderEngine.Options.DEFAULT);
                Server encoder = Server.forEncoder(reader, adapters, new Metrics(), OPTIONS);
                GraftModels vectors = GraftModels.embeddings(adapters)) {
            List<Embedding> answer = OpenAiEmbeddingModel.builder()
                    .baseUrl(encoder.address() + "/v1")
                    .apiKey("none")
                    .modelName("bert")
                    .build()
                    .embedAll(texts)
                    .content();
            List<Embedding> expected = vectors.embedding("bert").embedAll(texts).content();
            assertThat(answer).hasSameSizeAs(expected);
            for (int i = 0; i < answer.size(); i++) {
                assertThat(answer.get(i).vector())
                        .containsExactly(expected.get(i).vector(), withPrecision(1e-6f));
            }
        }
    }
}
