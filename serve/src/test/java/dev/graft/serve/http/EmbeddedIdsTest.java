package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.models.embeddings.CreateEmbeddingResponse;
import com.openai.models.embeddings.EmbeddingCreateParams;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.serve.adapters.Adapters;
import dev.graft.serve.adapters.FolderStore;
import dev.graft.serve.engine.EncoderEngine;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Embeddings of token ids. */
@Timeout(60)
class EmbeddedIdsTest {
    private static final Path FIXTURES = Path.of("../parity/fixtures");
    private static final List<String> TEXTS = List.of("a b", "c", "a b c a b c a b c", "b a");

    private static Base base;
    private static EncoderEngine engine;
    private static Server server;
    private static Client client;

    @BeforeAll
    static void start() throws IOException {
        base = Base.load(FIXTURES.resolve("bases/bert-base"), Base.Options.of(Task.FEATURE_EXTRACTION));
        engine = new EncoderEngine(base, EncoderEngine.Options.DEFAULT);
        Adapters adapters = new Adapters(base, "bert", new FolderStore(FIXTURES.resolve("adapters/bert-base")));
        server = Server.forEncoder(engine, adapters, new Metrics(), TinyChat.options());
        client = new Client(server.address());
    }

    @AfterAll
    static void stop() {
        server.close();
        engine.close();
    }

    private static int[] ids(String text) {
        return base.tokenizer().encode(text, EncodeOptions.DEFAULT).ids();
    }

    private static Client.Reply ask(String model, String input) {
        return client.post(
                "/v1/embeddings",
                "{\"model\": \"" + model + "\", \"input\": " + input + ", \"encoding_format\": \"base64\"}");
    }

    @ParameterizedTest
    @ValueSource(strings = {"bert", "lora"})
    void idsGiveTheBitsOfTheirTexts(String model) {
        List<int[]> ids = TEXTS.stream().map(EmbeddedIdsTest::ids).toList();
        assertThat(ids.get(0))
                .as("the tokenizer adds tokens of its own")
                .hasSizeGreaterThan(base.tokenizer()
                        .encode(TEXTS.get(0), EncodeOptions.DEFAULT.withAddSpecialTokens(false))
                        .length());

        JsonNode texts =
                ask(model, "[\"" + String.join("\", \"", TEXTS) + "\"]").json();
        JsonNode lists = ask(model, ids.stream().map(Arrays::toString).toList().toString())
                .json();
        JsonNode list = ask(model, Arrays.toString(ids.get(2))).json();

        assertThat(texts.path("data").size()).isEqualTo(TEXTS.size());
        assertThat(lists.path("data")).isEqualTo(texts.path("data"));
        assertThat(lists.path("usage")).isEqualTo(texts.path("usage"));
        assertThat(list.path("data").size()).isEqualTo(1);
        assertThat(list.at("/data/0/embedding")).isEqualTo(texts.at("/data/2/embedding"));
        assertThat(list.at("/usage/prompt_tokens").intValue()).isEqualTo(ids.get(2).length);
    }

    @Test
    void nothingIsAddedToIds() {
        int[] ids = ids("a b");
        int[] bare = Arrays.copyOfRange(ids, 1, ids.length - 1);
        JsonNode answer = ask("bert", Arrays.toString(bare)).json();

        assertThat(answer.at("/usage/total_tokens").intValue()).isEqualTo(bare.length);
        assertThat(answer.at("/data/0/embedding"))
                .isNotEqualTo(ask("bert", "\"a b\"").json().at("/data/0/embedding"));
    }

    @Test
    void openAisClientForJavaSendsIds() {
        OpenAIClient openAi = OpenAIOkHttpClient.builder()
                .baseUrl(server.address() + "/v1")
                .apiKey("none")
                .build();
        List<Long> ids = Arrays.stream(ids("a b")).mapToObj(id -> (long) id).toList();
        CreateEmbeddingResponse one = openAi.embeddings()
                .create(EmbeddingCreateParams.builder()
                        .model("bert")
                        .inputOfArrayOfTokens(ids)
                        .build());
        CreateEmbeddingResponse two = openAi.embeddings()
                .create(EmbeddingCreateParams.builder()
                        .model("bert")
                        .inputOfArrayOfTokenArrays(List.of(ids, ids))
                        .build());
        openAi.close();

        assertThat(two.data()).hasSize(2);
        assertThat(one.data().get(0).embedding()).isEqualTo(two.data().get(1).embedding());
        assertThat(two.usage().promptTokens()).isEqualTo(2L * ids.size());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "[] | input | input is [], expected a text, token ids or an array of either",
                "3 | input | input is 3, expected a text, token ids or an array of either",
                "[[]] | input[0] | input[0] is [], expected at least one token id",
                "[[1], []] | input[1] | input[1] is [], expected at least one token id",
                "[1, 'a'] | input[1] | input[1] is \"a\", expected a token id of the model's tokenizer, below ",
                "['a', 1] | input[1] | input[1] is 1, expected a text as input[0] is",
                "['a', [1]] | input[1] | input[1] is [1], expected a text as input[0] is",
                "[[1], 'a'] | input[1] | input[1] is \"a\", expected an array of token ids",
                "[[1], 2] | input[1] | input[1] is 2, expected an array of token ids",
                "[1, [2]] | input[1] | input[1] is [2], expected a token id",
                "[1.5] | input[0] | input[0] is 1.5, expected a token id",
                "[1, 2.0] | input[1] | input[1] is 2.0, expected a token id",
                "[[1, -1]] | input[0][1] | input[0][1] is -1, expected a token id",
                "[1, 999999999] | input[1] | input[1] is 999999999, expected a token id",
                "[[1], [99999999999]] | input[1][0] | input[1][0] is 99999999999, expected a token id",
                "[null] | input[0] | input[0] is null, expected a token id",
                "[true] | input[0] | input[0] is true, expected a token id"
            })
    void whatIsNoneOfTheFormsIsRefusedByItsPlace(String input, String param, String why) {
        Client.Reply reply = ask("bert", input.replace('\'', '"'));

        assertThat(reply.status()).isEqualTo(400);
        assertThat(reply.error()).startsWith("the request: " + why);
        assertThat(reply.json().at("/error/param").stringValue()).isEqualTo(param);
    }

    @Test
    void theLastIdIsTakenAndTheNextIsNot() {
        int vocabulary = base.backbone().vocabSize();

        assertThat(ask("bert", "[" + (vocabulary - 1) + "]").status()).isEqualTo(200);
        assertThat(ask("bert", "[" + vocabulary + "]").error()).endsWith("below " + vocabulary);
    }

    @Test
    void thereMayBeAsManyIdsAsTheModelHasPositions() {
        int most = base.backbone().maxPositions();
        List<Integer> ids = Collections.nCopies(most, 1);
        Client.Reply whole = ask("bert", ids.toString());
        Client.Reply longer = ask("bert", "[[1], " + Collections.nCopies(most + 1, 1) + "]");

        assertThat(whole.json().at("/usage/prompt_tokens").intValue()).isEqualTo(most);
        assertThat(longer.status()).isEqualTo(400);
        assertThat(longer.error()).contains("input 1 has " + (most + 1) + " tokens");
        assertThat(longer.json().at("/error/code").stringValue()).isEqualTo("context_length_exceeded");
        assertThat(longer.json().at("/error/param").stringValue()).isEqualTo("input");
    }

    @ParameterizedTest
    @ValueSource(strings = {"[1]", "\"a\""})
    void aRequestHasAtMost2048(String one) {
        Client.Reply reply =
                ask("bert", Collections.nCopies(2049, Json.parse("one", one)).toString());

        assertThat(reply.error()).contains("input has 2049 texts, at most 2048 are allowed");
    }

    @Test
    void labelsAreOfTextsAlone() throws IOException {
        Base labels = Base.load(FIXTURES.resolve("bases/bert-seqcls"), Base.Options.of(Task.SEQ_CLS));
        try (EncoderEngine reader = new EncoderEngine(labels, EncoderEngine.Options.DEFAULT);
                Server other = Server.forEncoder(
                        reader,
                        new Adapters(labels, "bert", new FolderStore(FIXTURES.resolve("adapters/bert-seqcls"))),
                        new Metrics(),
                        TinyChat.options())) {
            Client.Reply reply =
                    new Client(other.address()).post("/v1/classify", "{\"model\": \"bert\", \"input\": [1, 2]}");

            assertThat(reply.status()).isEqualTo(400);
            assertThat(reply.error()).contains("input is [1,2], expected a text or an array of texts");
        }
    }
}
