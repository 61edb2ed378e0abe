package dev.graft.langchain4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.withPrecision;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.peft.Adapter;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.serve.adapters.AdapterStore;
import dev.graft.serve.adapters.Adapters;
import dev.graft.serve.engine.Engine;
import dev.langchain4j.data.embedding.Embedding;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.data.segment.TextSegment;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.ModelNotFoundException;
import dev.langchain4j.model.chat.Capability;
import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.request.ResponseFormat;
import dev.langchain4j.model.chat.request.ResponseFormatType;
import dev.langchain4j.model.chat.request.json.JsonAnyOfSchema;
import dev.langchain4j.model.chat.request.json.JsonEnumSchema;
import dev.langchain4j.model.chat.request.json.JsonNullSchema;
import dev.langchain4j.model.chat.request.json.JsonObjectSchema;
import dev.langchain4j.model.chat.request.json.JsonRawSchema;
import dev.langchain4j.model.chat.request.json.JsonReferenceSchema;
import dev.langchain4j.model.chat.request.json.JsonSchema;
import dev.langchain4j.model.chat.request.json.JsonSchemaElement;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.output.FinishReason;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.bytedeco.pytorch.Scalar;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** LangChain4j's own interfaces on a Llama of random numbers. */
@Timeout(60)
class GraftModelsTest {
    private static final Path BERT = Path.of("../parity/fixtures/bases/bert-base");

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

    private static ChatRequest.Builder request() {
        return ChatRequest.builder().messages(UserMessage.from("Hello")).maxOutputTokens(12);
    }

    @Test
    void adaptersAndTheBaseAnswerEachInItsOwnWay() {
        ChatModel poet = models.chat("poet");
        ChatResponse answer = poet.chat(request().build());

        assertThat(answer.aiMessage().text()).isNotEmpty();
        assertThat(answer.modelName()).isEqualTo("poet");
        assertThat(answer.finishReason()).isEqualTo(FinishReason.LENGTH);
        assertThat(answer.tokenUsage().outputTokenCount()).isEqualTo(12);
        assertThat(poet.chat(request().build()).aiMessage()).isEqualTo(answer.aiMessage());
        assertThat(models.chat("tiny").chat(request().build()).aiMessage()).isNotEqualTo(answer.aiMessage());
        assertThat(models.chat("tiny").chat(request().modelName("poet").build()).aiMessage())
                .as("a request may name another model")
                .isEqualTo(answer.aiMessage());
    }

    @Test
    void defaultsHoldWhereARequestSaysNothing() {
        ChatModel brief = models.chat(
                "poet", ChatRequestParameters.builder().maxOutputTokens(3).build());
        assertThat(brief.chat(ChatRequest.builder()
                                .messages(UserMessage.from("Hello"))
                                .build())
                        .tokenUsage()
                        .outputTokenCount())
                .isEqualTo(3);
        assertThat(brief.chat(request().build()).tokenUsage().outputTokenCount())
                .isEqualTo(12);
    }

    @Test
    void wholeConversationsAreRead() {
        ChatModel poet = models.chat("poet");
        ChatResponse turns = poet.chat(ChatRequest.builder()
                .messages(
                        SystemMessage.from("Be brief"),
                        UserMessage.from("Hello"),
                        AiMessage.from("Hi"),
                        UserMessage.from("Hello"))
                .maxOutputTokens(12)
                .build());
        assertThat(turns.tokenUsage().inputTokenCount())
                .isGreaterThan(poet.chat(request().build()).tokenUsage().inputTokenCount());
    }

    @Test
    void aStreamTellsTheSameAnswerPieceByPiece() throws Exception {
        RecordingHandler heard = new RecordingHandler();
        models.streamingChat("poet").chat(request().build(), heard);
        ChatResponse answer = heard.response();
        assertThat(answer.aiMessage())
                .isEqualTo(models.chat("poet").chat(request().build()).aiMessage());
        assertThat(heard.pieces).hasSizeGreaterThan(1);
        assertThat(String.join("", heard.pieces)).isEqualTo(answer.aiMessage().text());
    }

    @Test
    void aJsonAnswerIsJson() {
        int whole = 0;
        for (int i = 0; i < 12; i++) {
            ChatResponse answer = models.chat("tiny")
                    .chat(request()
                            .maxOutputTokens(60)
                            .temperature(1.8)
                            .responseFormat(ResponseFormat.JSON)
                            .build());
            if (answer.finishReason() == FinishReason.STOP) {
                assertThat(JsonMapper.shared()
                                .readTree(answer.aiMessage().text())
                                .isObject())
                        .isTrue();
                whole++;
            }
        }
        assertThat(whole).isPositive();
    }

    @Test
    void aJsonAnswerIsAsItsSchemaSays() {
        JsonSchemaElement line = JsonObjectSchema.builder()
                .addBooleanProperty("rhymed")
                .addProperty(
                        "words",
                        JsonAnyOfSchema.builder()
                                .anyOf(
                                        new JsonNullSchema(),
                                        JsonEnumSchema.builder()
                                                .enumValues("few", "many")
                                                .build())
                                .build())
                .required("rhymed", "words")
                .build();
        JsonObjectSchema.Builder poem = JsonObjectSchema.builder()
                .addEnumProperty("mood", List.of("glad", "sad"))
                .addProperty(
                        "line", JsonReferenceSchema.builder().reference("line").build())
                .addProperty(
                        "raw", JsonRawSchema.from("{\"type\": \"array\", \"items\": {\"const\": 1}, \"maxItems\": 2}"))
                .definitions(Map.of("line", line))
                .required("mood", "line", "raw");
        ChatModel model = models.chat("poet");
        int whole = 0;
        for (int i = 0; i < 20; i++) {
            ChatResponse answer = model.chat(schema(poem.build()));
            if (answer.finishReason() == FinishReason.STOP) {
                JsonNode json = JsonMapper.shared().readTree(answer.aiMessage().text());
                assertThat(json.propertyNames()).containsExactly("mood", "line", "raw");
                assertThat(json.path("mood").stringValue()).isIn("glad", "sad");
                assertThat(json.path("line").path("rhymed").isBoolean()).isTrue();
                assertThat(json.path("raw").size()).isLessThanOrEqualTo(2);
                whole++;
            }
        }
        assertThat(whole).isPositive();
        assertThat(model.supportedCapabilities()).contains(Capability.RESPONSE_FORMAT_JSON_SCHEMA);
        assertThatThrownBy(() -> model.chat(
                        schema(poem.addProperty("bad", JsonRawSchema.from("{\"type\": \"string\", \"pattern\": \"x\"}"))
                                .build())))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("pattern");
    }

    @Test
    void anObjectOfNoNamedPropertiesIsRefusedUnlessItIsMeantToBeEmpty() {
        ChatModel model = models.chat("poet");
        JsonObjectSchema.Builder anything = JsonObjectSchema.builder();
        assertThatThrownBy(() -> model.chat(schema(anything.build())))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("properties is empty");
        ChatResponse answer =
                model.chat(schema(anything.additionalProperties(false).build()));
        assertThat(answer.aiMessage().text().replaceAll("\\s", "")).isIn("{", "{}");
    }

    private static ChatRequest schema(JsonObjectSchema root) {
        return ChatRequest.builder()
                .messages(UserMessage.from("Hello"))
                .maxOutputTokens(200)
                .temperature(1.5)
                .responseFormat(ResponseFormat.builder()
                        .type(ResponseFormatType.JSON)
                        .jsonSchema(JsonSchema.builder()
                                .name("poem")
                                .rootElement(root)
                                .build())
                        .build())
                .build();
    }

    @Test
    void whatCanNotBeDoneIsRefusedInLangChain4jsKinds() {
        ChatModel poet = models.chat("poet");
        assertThatThrownBy(() -> models.chat("nobody").chat("Hello"))
                .isInstanceOf(ModelNotFoundException.class)
                .hasMessageContaining("poet");
        assertThatThrownBy(() -> poet.chat("Hello you there ".repeat(100))).isInstanceOf(InvalidRequestException.class);
        assertThatThrownBy(() -> poet.chat(request().temperature(-1.0).build()))
                .isInstanceOf(InvalidRequestException.class);
    }

    @Test
    void textsHaveVectorsOfLengthOne() {
        Base bert = Base.load(BERT, Base.Options.of(Task.FEATURE_EXTRACTION));
        try (GraftModels vectors = GraftModels.embeddings(new Adapters(bert, "bert", AdapterStore.NONE))) {
            GraftEmbeddingModel model = vectors.embedding("bert");
            float[] alone = model.embed("b").content().vector();
            List<float[]> several =
                    model.embedAll(List.of(TextSegment.from("a b"), TextSegment.from("b"))).content().stream()
                            .map(embedding -> embedding.vector())
                            .toList();
            double square = 0;
            for (float value : alone) {
                square += value * value;
            }
            assertThat(alone)
                    .hasSize(model.dimension())
                    .containsExactly(several.get(1), withPrecision(1e-5f))
                    .isNotEqualTo(several.get(0));
            assertThat(square).isCloseTo(1, org.assertj.core.data.Offset.offset(1e-5));
            assertThatThrownBy(() -> vectors.chat("bert")).hasMessageContaining("was opened for embeddings");
        }
    }

    @Test
    void aBaseThatLabelsGivesNoVectors() {
        Base labels = Base.load(BERT.resolveSibling("bert-seqcls"), Base.Options.of(Task.SEQ_CLS));
        assertThatThrownBy(() -> GraftModels.embeddings(new Adapters(labels, "bert", AdapterStore.NONE)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("SEQ_CLS, which gives no vectors");
    }

    private static List<TextSegment> segments(int count, String text) {
        return Collections.nCopies(count, TextSegment.from(text));
    }

    @Test
    void aCallHasAnyNumberOfTexts() {
        Base bert = Base.load(BERT, Base.Options.of(Task.FEATURE_EXTRACTION));
        try (GraftModels vectors = GraftModels.embeddings(new Adapters(bert, "bert", AdapterStore.NONE))) {
            GraftEmbeddingModel model = vectors.embedding("bert");
            assertThat(model.embedAll(segments(5000, "b")).content()).hasSize(5000);
            assertThat(model.embedAll(List.of()).content()).isEmpty();
            List<TextSegment> long300 = new ArrayList<>(segments(300, "b"));
            long300.set(299, TextSegment.from("a ".repeat(2000)));
            assertThatThrownBy(() -> model.embedAll(long300))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("text 299 has ");
        }
    }

    /** A name that means another version each time it is asked for. */
    @Test
    void oneAdapterAnswersAWholeCall() {
        Base bert = Base.load(BERT, Base.Options.of(Task.FEATURE_EXTRACTION));
        AtomicInteger asked = new AtomicInteger();
        AdapterStore changing = new AdapterStore() {
            @Override
            public List<String> names() {
                return List.of("a");
            }

            @Override
            public Loadable find(String name) {
                int version = asked.incrementAndGet();
                return new Loadable(name, "v" + version, (base, serves) -> adapter(base, version));
            }
        };
        try (GraftModels vectors = GraftModels.embeddings(new Adapters(bert, "bert", changing))) {
            GraftEmbeddingModel model = vectors.embedding("a");
            Set<Embedding> all =
                    new HashSet<>(model.embedAll(segments(600, "b")).content());
            assertThat(all).hasSize(1);
            assertThat(all).doesNotContain(model.embed("b").content());
        }
    }

    private static Adapter adapter(Base base, int seed) {
        Adapter adapter = Adapter.create(base, new Lora(LoraConfig.DEFAULT), seed);
        adapter.parameters()
                .values()
                .forEach(parameter -> parameter.value().detach().add_(new Scalar(0.3 * seed)));
        return adapter;
    }

    @Test
    void aTextThatTheTokenizerCanNotReadIsRefusedInLangChain4jsKinds(@TempDir Path copy) throws IOException {
        for (String file : List.of("config.json", "model.safetensors", "tokenizer_config.json")) {
            Files.copy(BERT.resolve(file), copy.resolve(file));
        }
        String tokenizer = Files.readString(BERT.resolve("tokenizer.json"));
        Files.writeString(
                copy.resolve("tokenizer.json"),
                tokenizer.replace("\"unk_token\": \"[UNK]\"", "\"unk_token\": \"[NONE]\""));
        Base bert = Base.load(copy, Base.Options.of(Task.FEATURE_EXTRACTION));
        try (GraftModels vectors = GraftModels.embeddings(new Adapters(bert, "bert", AdapterStore.NONE))) {
            assertThatThrownBy(() -> vectors.embedding("bert").embed("€"))
                    .isInstanceOf(InvalidRequestException.class)
                    .hasMessageContaining("cannot encode");
        }
    }
}
