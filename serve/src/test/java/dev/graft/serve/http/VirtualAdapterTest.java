package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.peft.Adapter;
import dev.graft.peft.composition.Combination;
import dev.graft.peft.composition.CombinationSettings;
import dev.graft.peft.composition.CombinedAdapter;
import dev.graft.peft.store.Store;
import dev.graft.serve.adapters.VersionedStore;
import dev.graft.serve.engine.Engine;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** Adapters that are made of others on the server answer as those that {@code graft merge-adapters} writes. */
@Timeout(60)
class VirtualAdapterTest {
    private static final Engine.Options ENGINE = new Engine.Options(8, 64, 16, 1 << 20);

    @TempDir
    private Path folder;

    private static String answer(Client client, String model) {
        Client.Reply answer = client.post(
                "/v1/completions",
                "{\"model\": \"" + model
                        + "\", \"prompt\": \"Hello\", \"max_tokens\": 8, \"temperature\": 0, \"logprobs\": 1}");
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        return answer.json().path("choices").toString();
    }

    private static int load(Client client, String body) {
        return client.post("/v1/load_lora_adapter", body).status();
    }

    @ParameterizedTest
    @CsvSource({"linear, ''", "ties_svd, ', \"combination\": \"ties_svd\", \"density\": 0.4, \"rank\": 8'"})
    void answersAsWhatIsWritten(String combination, String more) throws IOException {
        try (TinyChat tiny = new TinyChat(folder, ENGINE, TinyChat.options())) {
            Client client = new Client(tiny.server.address());
            CombinationSettings settings =
                    more.isEmpty() ? CombinationSettings.DEFAULT : CombinationSettings.DEFAULT.withDensity(0.4);
            CombinedAdapter.of(
                            List.of(adapter(tiny, "poet"), adapter(tiny, "clerk")),
                            List.of(0.7, -0.5),
                            Combination.named(combination),
                            settings,
                            more.isEmpty() ? null : 8)
                    .adapter()
                    .save(tiny.adapterFolder.resolve("written"));
            assertThat(load(
                            client,
                            "{\"lora_name\": \"both\", \"adapters\": {\"poet\": 0.7, \"clerk\": -0.5}" + more + "}"))
                    .isEqualTo(200);

            assertThat(answer(client, "both"))
                    .isEqualTo(answer(client, "written"))
                    .isNotEqualTo(answer(client, "poet"));
            JsonNode model = client.get("/v1/models/both").json();
            assertThat(model.path("combination").stringValue()).isEqualTo(combination);
            assertThat(model.path("adapters").path("clerk").doubleValue()).isEqualTo(-0.5);
        }
    }

    private static Adapter adapter(TinyChat tiny, String name) {
        return Adapter.load(tiny.base, tiny.adapterFolder.resolve(name));
    }

    @Test
    void comesAndGoesAndIsRefused() throws IOException {
        try (TinyChat tiny = new TinyChat(folder, ENGINE, TinyChat.options())) {
            Client client = new Client(tiny.server.address());
            String both = "{\"lora_name\": \"both\", \"adapters\": {\"poet\": 1, \"clerk\": 1}}";
            assertThat(load(client, both)).isEqualTo(200);
            assertThat(load(client, both)).isEqualTo(400);
            assertThat(client.post("/v1/unload_lora_adapter", "{\"lora_name\": \"both\"}")
                            .status())
                    .isEqualTo(200);
            assertThat(client.get("/v1/models/both").status()).isEqualTo(404);
            assertThat(load(client, both)).isEqualTo(200);

            assertThat(load(client, "{\"lora_name\": \"x\", \"adapters\": {\"poet\": 1, \"nobody\": 1}}"))
                    .isEqualTo(404);
            for (String wrong : List.of(
                    "{\"lora_name\": \"x\", \"adapters\": {}}",
                    "{\"lora_name\": \"x\", \"adapters\": {\"poet\": \"much\"}}",
                    "{\"lora_name\": \"x\", \"adapters\": {\"poet\": 0}}",
                    "{\"lora_name\": \"x\", \"adapters\": {\"poet\": 1, \"clerk\": 1e30}}",
                    "{\"lora_name\": \"../x\", \"adapters\": {\"poet\": 1}}",
                    "{\"lora_name\": \"poet\", \"adapters\": {\"clerk\": 1}}",
                    "{\"lora_name\": \"tiny\", \"adapters\": {\"clerk\": 1}}",
                    "{\"lora_name\": \"x\", \"adapters\": {\"poet\": 1}, \"combination\": \"magic\"}",
                    "{\"lora_name\": \"x\", \"adapters\": {\"poet\": 1}, \"lora_path\": \"poet\"}",
                    "{\"lora_name\": \"x\", \"adapters\": {\"poet\": 1}, \"density\": 0.5}")) {
                assertThat(load(client, wrong)).as(wrong).isEqualTo(400);
            }
        }
    }

    @Test
    void itsPartsAreNamesOfTheServer() throws IOException {
        try (TinyChat tiny = new TinyChat(folder, ENGINE, TinyChat.options())) {
            Client client = new Client(tiny.server.address());
            assertThat(load(client, "{\"lora_name\": \"writer\", \"lora_path\": \"clerk\"}"))
                    .isEqualTo(200);
            assertThat(load(client, "{\"lora_name\": \"both\", \"adapters\": {\"poet\": 1, \"writer\": 1}}"))
                    .isEqualTo(200);
            assertThat(load(client, "{\"lora_name\": \"more\", \"adapters\": {\"poet\": 1, \"both\": 1}}"))
                    .isEqualTo(400);
            answer(client, "both");

            client.post("/v1/unload_lora_adapter", "{\"lora_name\": \"writer\"}");
            Client.Reply gone = client.post("/v1/completions", "{\"model\": \"both\", \"prompt\": \"Hello\"}");
            assertThat(gone.status()).isEqualTo(404);
            assertThat(client.get("/v1/models").body()).doesNotContain("both");
            assertThat(load(client, "{\"lora_name\": \"both\", \"adapters\": {\"poet\": 1, \"writer\": 1}}"))
                    .isEqualTo(404);
            assertThat(load(client, "{\"lora_name\": \"both\", \"adapters\": {\"poet\": 1, \"clerk\": 1}}"))
                    .isEqualTo(200);
        }
    }

    @Test
    void followsTheVersionsOfItsParts() throws IOException {
        Path root = folder.resolve("store");
        Store store = Store.create(root, null);
        try (TinyChat tiny =
                new TinyChat(folder, ENGINE, TinyChat.options(), any -> new VersionedStore(store), Long.MAX_VALUE)) {
            Client client = new Client(tiny.server.address());
            tiny.lora("other", 9);
            store.add("poet", tiny.adapterFolder.resolve("poet"), Map.of(), true);
            store.add("clerk", tiny.adapterFolder.resolve("clerk"), Map.of(), true);
            assertThat(load(client, "{\"lora_name\": \"both\", \"adapters\": {\"poet\": 1, \"clerk\": 1}}"))
                    .isEqualTo(200);
            String before = answer(client, "both");
            store.add("poet", tiny.adapterFolder.resolve("other"), Map.of(), true);

            assertThat(answer(client, "both")).isNotEqualTo(before);
        }
    }
}
