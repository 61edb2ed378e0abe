package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.AtomicWrite;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** The routes that say what a server has and does, and those that change its adapters. */
class ModelsRouteTest extends WithTinyChat {
    @Test
    void modelsAreTheBaseAndItsAdapters() {
        List<String> ids = new ArrayList<>();
        client.get("/v1/models")
                .json()
                .path("data")
                .forEach(model -> ids.add(model.path("id").stringValue()));

        assertThat(ids).startsWith("tiny").contains("clerk", "poet", "scaled");
        client.ask("poet", "");
        JsonNode poet = client.get("/v1/models/poet").json();
        assertThat(poet.path("parent").stringValue()).isEqualTo("tiny");
        assertThat(4 * poet.path("parameters").longValue())
                .as("an adapter's own numbers, in fp32")
                .isEqualTo(poet.path("bytes").longValue());
        assertThat(client.get("/v1/models/nobody").status()).isEqualTo(404);
        assertThat(client.get("/nowhere").status()).isEqualTo(404);
        assertThat(client.get("/health").status()).isEqualTo(200);
        assertThat(client.get("/ready").status()).isEqualTo(200);
    }

    @Test
    void adaptersComeAndGo() {
        tiny.lora("guest", 9);
        String guest = client.ask("guest", "").content();
        assertThat(client.post("/v1/load_lora_adapter", "{\"lora_name\": \"alias\", \"lora_path\": \"guest\"}")
                        .body())
                .isEqualTo("Success: LoRA adapter 'alias' added successfully.");
        assertThat(client.ask("alias", "").content()).isEqualTo(guest);
        assertThat(client.post("/v1/load_lora_adapter", "{\"lora_name\": \"alias\", \"lora_path\": \"guest\"}")
                        .status())
                .isEqualTo(400);
        assertThat(client.post("/v1/unload_lora_adapter", "{\"lora_name\": \"alias\"}")
                        .status())
                .isEqualTo(200);
        assertThat(client.ask("alias", "").status()).isEqualTo(404);
        assertThat(client.post("/v1/unload_lora_adapter", "{\"lora_name\": \"alias\"}")
                        .status())
                .isEqualTo(404);
        for (String path : List.of("/etc", "../model", "nobody")) {
            assertThat(client.post(
                                    "/v1/load_lora_adapter",
                                    "{\"lora_name\": \"evil\", \"lora_path\": \"" + path + "\"}")
                            .status())
                    .isEqualTo(404);
        }
    }

    @Test
    void anAdapterIsReadAnewWhereTheClientSaysSoAndKeptWhereItCannotBe() throws IOException {
        tiny.lora("fresh", 21);
        tiny.lora("later", 22);
        client.post("/v1/load_lora_adapter", "{\"lora_name\": \"other\", \"lora_path\": \"fresh\"}");
        client.post(
                "/v1/load_lora_adapter", "{\"lora_name\": \"sum\", \"adapters\": {\"fresh\": 1, \"clerk\": 0.0001}}");
        String first = client.ask("fresh", "").content();
        String second = client.ask("later", "").content();
        String sum = client.ask("sum", "").content();
        assertThat(client.ask("other", "").content()).isEqualTo(first).isNotEqualTo(second);

        Path folder = tiny.adapterFolder.resolve("fresh");
        Path values = folder.resolve("adapter_model.safetensors");
        byte[] before = Files.readAllBytes(values);
        Files.write(values, new byte[] {1, 2, 3});
        assertThat(again("fresh").status()).isEqualTo(400);
        assertThat(client.ask("fresh", "").content()).isEqualTo(first);

        Files.copy(
                tiny.adapterFolder.resolve("later/adapter_model.safetensors"),
                values,
                StandardCopyOption.REPLACE_EXISTING);
        assertThat(client.ask("fresh", "").content()).as("not by itself").isEqualTo(first);
        long bytes = tiny.adapters.cacheStats().bytes();
        assertThat(again("fresh").body()).isEqualTo("Success: LoRA adapter 'fresh' added successfully.");
        assertThat(client.ask("fresh", "").content()).isEqualTo(second);
        assertThat(client.ask("other", "").content()).as("of the same files").isEqualTo(second);
        assertThat(tiny.adapters.cacheStats().bytes())
                .as("the one before is gone")
                .isEqualTo(bytes);
        assertThat(client.ask("sum", "").content()).as("made of it").isNotEqualTo(sum);

        Files.write(values, before);
        assertThat(again("fresh").status()).isEqualTo(200);
        assertThat(client.ask("fresh", "").content()).isEqualTo(first);
        assertThat(again("tiny").error()).contains("is loaded already");
    }

    @Test
    void aNameMeansWhatItSays() {
        for (String name : List.of("poet@3", "tiny:poet", "", "a b", "\\ud800", "x".repeat(300))) {
            assertThat(client.post(
                                    "/v1/load_lora_adapter",
                                    "{\"lora_name\": \"" + name + "\", \"lora_path\": \"clerk\"}")
                            .error())
                    .as(name)
                    .contains("expected letters, digits");
        }
        assertThat(client.get("/v1/models/tiny:poet").json().path("id").stringValue())
                .isEqualTo("tiny:poet");
        assertThat(client.get("/v1/models/tiny:nobody").status()).isEqualTo(404);
    }

    @Test
    void anAdapterThatComesAgainActsWholly() {
        client.post("/v1/load_lora_adapter", "{\"lora_name\": \"again\", \"lora_path\": \"poet\"}");
        String poet = client.ask("again", "").content();
        tiny.adapters.strength("again", 0);
        assertThat(client.ask("again", "").content())
                .isEqualTo(client.ask("tiny", "").content())
                .isNotEqualTo(poet);
        client.post("/v1/unload_lora_adapter", "{\"lora_name\": \"again\"}");
        client.post("/v1/load_lora_adapter", "{\"lora_name\": \"again\", \"lora_path\": \"poet\"}");
        assertThat(client.ask("again", "").content()).isEqualTo(poet);
        client.post("/v1/unload_lora_adapter", "{\"lora_name\": \"again\"}");
    }

    @Test
    void whatIsGoneBehindANameIsNamed() throws IOException {
        tiny.lora("soon", 31);
        client.post("/v1/load_lora_adapter", "{\"lora_name\": \"other\", \"lora_path\": \"soon\"}");
        AtomicWrite.delete(tiny.adapterFolder.resolve("soon"));
        assertThat(client.ask("other", "").error()).contains("\"other\" stands for \"soon\", which is gone");
        client.post("/v1/unload_lora_adapter", "{\"lora_name\": \"other\"}");
    }

    @Test
    void healthIsOnlyRead() {
        for (String path : List.of("/health", "/ready")) {
            Client.Reply reply = client.post(path, "{}");
            assertThat(reply.status()).isEqualTo(405);
            assertThat(reply.response().headers().firstValue("Allow")).contains("GET, HEAD");
        }
    }

    private Client.Reply again(String name) {
        return client.post(
                "/v1/load_lora_adapter",
                "{\"lora_name\": \"" + name + "\", \"lora_path\": \"fresh\", \"load_inplace\": true}");
    }

    @Test
    void strengthsAreLlamaCpps() {
        String before = client.ask("clerk", "").content();
        JsonNode list = client.get("/lora-adapters").json();
        int clerk = 0;
        while (!list.path(clerk).path("path").stringValue().equals("clerk")) {
            clerk++;
        }

        assertThat(list.path(clerk).path("scale").doubleValue()).isEqualTo(1);
        assertThat(client.post("/lora-adapters", "[]").status()).isEqualTo(200);
        assertThat(client.ask("clerk", "").content())
                .isEqualTo(client.ask("tiny", "").content());
        client.post("/lora-adapters", all(list));
        assertThat(client.ask("clerk", "").content()).isEqualTo(before);
        assertThat(client.post("/lora-adapters", "[{\"id\": 99, \"scale\": 1}]").status())
                .isEqualTo(400);
        assertThat(client.post("/lora-adapters", "{}").status()).isEqualTo(400);
        assertThat(client.post("/lora-adapters", "[{\"scale\": 1}]").error()).contains("id is missing");
        assertThat(client.post("/lora-adapters", "[{\"id\": 0}]").error()).contains("scale is missing");
        assertThat(client.post("/lora-adapters", "[{\"id\": 0, \"scale\": 1}, {\"id\": 0, \"scale\": 0}]")
                        .error())
                .contains("comes twice");
    }

    @Test
    void theBasesNameMeansTheBase() {
        String base = client.ask("tiny", "").content();
        tiny.lora("tiny", 11);
        List<String> ids = new ArrayList<>();
        client.get("/v1/models")
                .json()
                .path("data")
                .forEach(model -> ids.add(model.path("id").stringValue()));

        assertThat(ids).doesNotHaveDuplicates();
        assertThat(client.ask("tiny", "").content()).isEqualTo(base);
        assertThat(client.ask("tiny:tiny", "").content()).isNotEqualTo(base);
    }

    @Test
    void aNumberStaysTheAdapters() {
        Map<String, Integer> before = numbers();
        client.post("/v1/load_lora_adapter", "{\"lora_name\": \"aaa\", \"lora_path\": \"clerk\"}");
        Map<String, Integer> with = numbers();
        client.post("/v1/unload_lora_adapter", "{\"lora_name\": \"aaa\"}");

        assertThat(with).containsAllEntriesOf(before).containsKey("aaa");
        assertThat(before.values()).doesNotContain(with.get("aaa"));
        assertThat(numbers()).isEqualTo(before);
        assertThat(client.post("/lora-adapters", "[{\"id\": " + with.get("aaa") + "}]")
                        .error())
                .contains("id is " + with.get("aaa") + ", expected one of [");
    }

    private Map<String, Integer> numbers() {
        Map<String, Integer> numbers = new HashMap<>();
        client.get("/lora-adapters")
                .json()
                .forEach(entry -> numbers.put(
                        entry.path("path").stringValue(), entry.path("id").intValue()));
        return numbers;
    }

    private static String all(JsonNode list) {
        List<String> entries = new ArrayList<>();
        list.forEach(entry -> entries.add("{\"id\": " + entry.path("id").intValue() + ", \"scale\": 1}"));
        return entries.toString();
    }

    @Test
    void figuresCountWhatHappens() {
        client.ask("tiny", "");
        client.ask("poet", "");
        client.ask("poet", "");
        // What nothing but a meter refers to is gone then.
        System.gc();
        String figures = client.get("/metrics").body();

        assertThat(figures)
                .containsPattern("graft_adapters_loads_total [1-9]")
                .containsPattern("graft_adapters_hits_total [1-9]")
                .contains("graft_adapters_evictions_total 0.0")
                .contains("graft_tokens_written_total")
                .contains("graft_first_token_duration_seconds_bucket")
                .contains("graft_requests_waiting 0.0")
                .contains("graft_request_duration_seconds_count{route=\"/v1/chat/completions\",status=\"200\"}");
    }
}
