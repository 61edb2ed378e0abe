package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.models.embeddings.Embedding;
import com.openai.models.embeddings.EmbeddingCreateParams;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.peft.Adapter;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.serve.adapters.Adapters;
import dev.graft.serve.adapters.FolderStore;
import dev.graft.serve.engine.EncoderEngine;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

@Timeout(60)
class EncodeRouteTest {
    private static final Path FIXTURES = Path.of("../parity/fixtures");

    @TempDir
    Path folder;

    private EncoderEngine engine;

    @AfterEach
    void stop() {
        engine.close();
    }

    private Server serve(String name, Task task, String adapters) throws IOException {
        return serve(name, task, FIXTURES.resolve("adapters").resolve(adapters));
    }

    private Server serve(String name, Task task, Path adapters) throws IOException {
        Path model = Files.createDirectories(folder.resolve(name));
        for (String file : new String[] {"config.json", "model.safetensors"}) {
            Files.copy(FIXTURES.resolve("bases").resolve(name).resolve(file), model.resolve(file));
        }
        Files.writeString(
                model.resolve("tokenizer.json"),
                "{\"version\": \"1.0\", \"added_tokens\": [], \"normalizer\": null, \"post_processor\": null,"
                        + " \"decoder\": null, \"pre_tokenizer\": {\"type\": \"Whitespace\"}, \"model\": {\"type\":"
                        + " \"WordLevel\", \"vocab\": {\"[UNK]\": 0, \"Hello\": 5, \"you\": 6, \"there\": 7},"
                        + " \"unk_token\": \"[UNK]\"}}");
        Base base = Base.load(model, Base.Options.of(task));
        engine = new EncoderEngine(base, EncoderEngine.Options.DEFAULT);
        return Server.forEncoder(
                engine, new Adapters(base, "bert", new FolderStore(adapters)), new Metrics(), TinyChat.options());
    }

    @Test
    void embeddingsHaveLengthOneInBothForms() throws IOException {
        try (Server server = serve("bert-base", Task.FEATURE_EXTRACTION, "bert-base")) {
            Client client = new Client(server.address());
            JsonNode floats = client.post(
                            "/v1/embeddings", "{\"model\": \"bert\", \"input\": [\"Hello you\", \"Hello\"]}")
                    .json();
            JsonNode coded = client.post(
                            "/v1/embeddings",
                            "{\"model\": \"bert\", \"input\": \"Hello\", \"encoding_format\": \"base64\"}")
                    .json();

            JsonNode vector = floats.path("data").path(1).path("embedding");
            ByteBuffer bytes = ByteBuffer.wrap(Base64.getDecoder()
                            .decode(coded.path("data").path(0).path("embedding").stringValue()))
                    .order(ByteOrder.LITTLE_ENDIAN);
            double length = 0;
            for (JsonNode value : vector) {
                assertThat(bytes.getFloat()).isEqualTo(value.floatValue());
                length += value.doubleValue() * value.doubleValue();
            }
            assertThat(bytes.hasRemaining()).isFalse();
            assertThat(length).isCloseTo(1, within(1e-6));
            assertThat(floats.path("usage").path("prompt_tokens").intValue()).isEqualTo(3);
            assertThat(client.post("/v1/embeddings", "{\"model\": \"bert\", \"input\": []}")
                            .status())
                    .isEqualTo(400);
            assertThat(client.post("/v1/embeddings", "{\"model\": \"nobody\", \"input\": \"a\"}")
                            .status())
                    .isEqualTo(404);
        }
    }

    @Test
    void dimensionsCutVectorsAndScaleThemToLengthOne() throws IOException {
        try (Server server = serve("bert-base", Task.FEATURE_EXTRACTION, "bert-base")) {
            Client client = new Client(server.address());
            String request = "{\"model\": \"bert\", \"input\": \"Hello you\", \"dimensions\": %s}";
            JsonNode whole = vector(client, request.formatted("null"));
            JsonNode cut = vector(client, request.formatted("3"));

            double square = 0;
            for (int i = 0; i < 3; i++) {
                square += Math.pow(whole.path(i).doubleValue(), 2);
            }
            assertThat(cut.size()).isEqualTo(3);
            for (int i = 0; i < 3; i++) {
                assertThat(cut.path(i).doubleValue())
                        .isCloseTo(whole.path(i).doubleValue() / Math.sqrt(square), within(1e-6));
            }
            assertThat(vector(client, request.formatted(whole.size()))).isEqualTo(whole);
            for (String wrong : List.of("0", String.valueOf(whole.size() + 1))) {
                Client.Reply refused = client.post("/v1/embeddings", request.formatted(wrong));
                assertThat(refused.status()).isEqualTo(400);
                assertThat(refused.error())
                        .contains("dimensions is " + wrong + ", must be between 1 and " + whole.size());
            }
        }
    }

    private static JsonNode vector(Client client, String request) throws IOException {
        return client.post("/v1/embeddings", request)
                .json()
                .path("data")
                .path(0)
                .path("embedding");
    }

    @Test
    void optionalFieldsMayBeNullAndOthersNot() throws IOException {
        try (Server server = serve("bert-base", Task.FEATURE_EXTRACTION, "bert-base")) {
            Client client = new Client(server.address());
            String nulls = ", \"encoding_format\": null, \"dimensions\": null, \"user\": null}";
            Client.Reply none = client.post("/v1/embeddings", "{\"model\": \"bert\", \"input\": null}");
            Client.Reply user = client.post("/v1/embeddings", "{\"model\": \"bert\", \"input\": \"a\", \"user\": 3}");

            assertThat(client.post("/v1/embeddings", "{\"model\": \"bert\", \"input\": \"Hello\"" + nulls)
                            .json()
                            .path("data")
                            .path(0)
                            .path("embedding")
                            .isArray())
                    .isTrue();
            assertThat(none.status()).isEqualTo(400);
            assertThat(none.error()).contains("input is null");
            assertThat(user.status()).isEqualTo(400);
            assertThat(user.error()).contains("user is 3");
        }
    }

    @ParameterizedTest
    @CsvSource({
        "bert-base, FEATURE_EXTRACTION, /v1/embeddings",
        "bert-seqcls, SEQ_CLS, /v1/classify",
        "bert-tokcls, TOKEN_CLS, /v1/token_classify"
    })
    void whatAnotherBaseAnswersIsToldWithWhatThisOneDoes(String name, Task task, String own) throws IOException {
        try (Server server = serve(name, task, name)) {
            Client client = new Client(server.address());
            for (String path : List.of(
                    "/v1/chat/completions",
                    "/v1/completions",
                    "/v1/embeddings",
                    "/v1/classify",
                    "/v1/token_classify")) {
                Client.Reply reply = client.post(path, "{}");
                if (path.equals(own)) {
                    assertThat(reply.status()).isEqualTo(400);
                    continue;
                }
                assertThat(reply.status()).isEqualTo(404);
                assertThat(reply.json().at("/error/code").stringValue()).isEqualTo("route_not_served");
                assertThat(reply.error())
                        .startsWith(path + " needs a base for ")
                        .contains("bert is served for " + task.name().toLowerCase(Locale.ROOT) + " and has " + own);
            }
        }
    }

    @Test
    void openAisClientForJavaReadsEmbeddings() throws IOException {
        try (Server server = serve("bert-base", Task.FEATURE_EXTRACTION, "bert-base")) {
            OpenAIClient client = OpenAIOkHttpClient.builder()
                    .baseUrl(server.address() + "/v1")
                    .apiKey("none")
                    .build();
            List<Embedding> answer = client.embeddings()
                    .create(EmbeddingCreateParams.builder()
                            .model("bert")
                            .inputOfArrayOfStrings(List.of("Hello you", "Hello"))
                            .build())
                    .data();
            client.close();

            assertThat(answer).hasSize(2);
            double length = answer.get(1).embedding().stream()
                    .mapToDouble(value -> (double) value * value)
                    .sum();
            assertThat(length).isCloseTo(1, within(1e-6));
        }
    }

    /** Of two adapters over one base each has its own names, and one judges each class by itself. */
    @Test
    void classesAreNamedAndJudgedAsTheAdapterSays() throws IOException {
        Base base = Base.load(FIXTURES.resolve("bases/bert-seqcls"));
        Path adapters = folder.resolve("adapters");
        List<String> names = base.labels().stream().map(label -> "tag " + label).toList();
        for (String kind : List.of("single_label_classification", "multi_label_classification")) {
            Path own = adapters.resolve(kind);
            Adapter.create(base, new Lora(LoraConfig.DEFAULT), 3).save(own);
            ObjectNode record = (ObjectNode) Json.read(own.resolve("graft.json"));
            record.put("problem_type", kind);
            names.forEach(record.putArray("labels")::add);
            Files.writeString(own.resolve("graft.json"), Json.pretty(record));
        }
        try (Server server = serve("bert-seqcls", Task.SEQ_CLS, adapters)) {
            Client client = new Client(server.address());
            JsonNode plain = classified(client, "bert");
            JsonNode one = classified(client, "single_label_classification");
            JsonNode several = classified(client, "multi_label_classification");

            assertThat(texts(plain.path("labels"))).isEqualTo(base.labels());
            assertThat(texts(one.path("labels"))).isEqualTo(names);
            assertThat(names).contains(one.path("label").asString());
            assertThat(sum(one.path("probs"))).isCloseTo(1, within(1e-5));
            for (int i = 0; i < names.size(); i++) {
                double logit = Math.log(one.path("probs").path(i).asDouble()
                        / one.path("probs").path(0).asDouble());
                double first = several.path("probs").path(0).asDouble();
                double odds = Math.exp(logit) * first / (1 - first);
                assertThat(several.path("probs").path(i).asDouble()).isCloseTo(odds / (1 + odds), within(1e-4));
            }
        }
    }

    private static JsonNode classified(Client client, String model) throws IOException {
        return client.post("/v1/classify", "{\"model\": \"" + model + "\", \"input\": \"Hello you\"}")
                .json()
                .path("data")
                .path(0);
    }

    private static List<String> texts(JsonNode names) {
        List<String> texts = new ArrayList<>();
        names.forEach(name -> texts.add(name.asString()));
        return texts;
    }

    private static double sum(JsonNode numbers) {
        double sum = 0;
        for (JsonNode number : numbers) {
            sum += number.asDouble();
        }
        return sum;
    }

    @Test
    void labelsComeWithTheirProbabilities() throws IOException {
        try (Server server = serve("bert-seqcls", Task.SEQ_CLS, "bert-seqcls")) {
            Client client = new Client(server.address());
            JsonNode base = client.post("/v1/classify", "{\"model\": \"bert\", \"input\": \"Hello\"}")
                    .json();
            JsonNode entry = base.path("data").path(0);
            double sum = 0;
            double best = 0;
            for (JsonNode probability : entry.path("probs")) {
                sum += probability.doubleValue();
                best = Math.max(best, probability.doubleValue());
            }
            int place = 0;
            while (entry.path("probs").path(place).doubleValue() < best) {
                place++;
            }

            assertThat(sum).isCloseTo(1, within(1e-6));
            assertThat(entry.path("label")).isEqualTo(entry.path("labels").path(place));
            JsonNode adapted = client.post("/v1/classify", "{\"model\": \"lora\", \"input\": \"Hello\"}")
                    .json();
            assertThat(adapted.path("data").path(0).path("probs")).isNotEqualTo(entry.path("probs"));
        }
    }

    /** The adapters are those of another base. */
    @ParameterizedTest
    @CsvSource({"bert-base, FEATURE_EXTRACTION, /v1/embeddings", "bert-seqcls, SEQ_CLS, /v1/classify"})
    void anAdapterOfAnotherBaseIsToldWithoutItsFolder(String name, Task task, String route) throws IOException {
        try (Server server = serve(name, task, "llama-gqa")) {
            Client.Reply reply =
                    new Client(server.address()).post(route, "{\"model\": \"lora\", \"input\": \"Hello\"}");

            assertThat(reply.status()).as(reply.body()).isEqualTo(400);
            assertThat(reply.error()).doesNotContain("/");
        }
    }

    /** Whatever their lengths, answers stand in the order of the texts and are those to the texts alone. */
    @ParameterizedTest
    @CsvSource({
        "bert-base, FEATURE_EXTRACTION, /v1/embeddings, embedding",
        "bert-seqcls, SEQ_CLS, /v1/classify, probs",
        "bert-tokcls, TOKEN_CLS, /v1/token_classify, tokens"
    })
    void severalTextsAreAnsweredAsAlone(String name, Task task, String route, String field) throws IOException {
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            texts.add(("Hello you there ".repeat(1 + i * 7 % 5) + "you ".repeat(i % 3)).strip());
        }
        try (Server server = serve(name, task, name)) {
            Client client = new Client(server.address());
            JsonNode all = ask(client, route, "[\"" + String.join("\", \"", texts) + "\"]");
            assertThat(all.size()).isEqualTo(texts.size());
            for (int i = 0; i < texts.size(); i++) {
                assertThat(all.path(i).path("index").intValue()).isEqualTo(i);
                JsonNode alone = ask(client, route, "\"" + texts.get(i) + "\"");
                assertClose(all.path(i).path(field), alone.path(0).path(field));
            }
        }
    }

    private static JsonNode ask(Client client, String route, String input) {
        return client.post(route, "{\"model\": \"lora\", \"input\": " + input + "}")
                .json()
                .path("data");
    }

    private static void assertClose(JsonNode actual, JsonNode expected) {
        assertThat(actual.size()).isEqualTo(expected.size());
        if (expected.isNumber()) {
            assertThat(actual.doubleValue()).isCloseTo(expected.doubleValue(), within(1e-5));
        } else if (expected.isArray()) {
            assertThat(expected.isEmpty()).isFalse();
            for (int i = 0; i < expected.size(); i++) {
                assertClose(actual.path(i), expected.path(i));
            }
        } else if (expected.isObject()) {
            expected.propertyNames().forEach(key -> assertClose(actual.path(key), expected.path(key)));
        } else {
            assertThat(actual).isEqualTo(expected);
        }
    }

    @Test
    void eachTokenHasALabel() throws IOException {
        try (Server server = serve("bert-tokcls", Task.TOKEN_CLS, "bert-tokcls")) {
            JsonNode tokens = new Client(server.address())
                    .post("/v1/token_classify", "{\"model\": \"bert\", \"input\": \"Hello you\"}")
                    .json()
                    .path("data")
                    .path(0)
                    .path("tokens");

            assertThat(tokens.isEmpty()).isFalse();
            for (JsonNode token : tokens) {
                assertThat("Hello you"
                                .substring(
                                        token.path("start").intValue(),
                                        token.path("end").intValue()))
                        .isNotEmpty();
                assertThat(token.path("label").stringValue()).startsWith("LABEL_");
                assertThat(token.path("score").doubleValue()).isBetween(0.0, 1.0);
            }
        }
    }
}
