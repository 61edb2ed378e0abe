package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.models.Architecture;
import dev.graft.models.Task;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** One command trains LoRA on a model of every registered family that classifies or writes texts. */
class EveryFamilyTest {
    private static final List<String> WORDS = List.of("cat", "dog", "red", "one", "two", "six");

    @TempDir
    private Path folder;

    private static List<String> families(Predicate<Set<Task>> wanted) {
        return ServiceLoader.load(Architecture.class).stream()
                .map(ServiceLoader.Provider::get)
                .filter(family -> wanted.test(family.tasks()))
                .map(Architecture::modelType)
                .sorted()
                .toList();
    }

    static List<String> classifying() {
        return families(tasks -> tasks.contains(Task.SEQ_CLS));
    }

    static List<String> writing() {
        return families(tasks -> tasks.contains(Task.CAUSAL_LM) && !tasks.contains(Task.SEQ_CLS));
    }

    /** A tiny model of that type, with a tokenizer of a few words. */
    private Path model(String type) throws IOException {
        try (Stream<Path> bases = Files.list(Cli.FIXTURES.resolve("bases"))) {
            Path base = bases.sorted()
                    .filter(each -> Json.read(each.resolve("config.json"))
                            .path("model_type")
                            .stringValue()
                            .equals(type))
                    .findFirst()
                    .orElseThrow();
            Path model = Files.createDirectory(folder.resolve("model"));
            Files.copy(base.resolve("model.safetensors"), model.resolve("model.safetensors"));
            Files.copy(base.resolve("config.json"), model.resolve("config.json"));
            tokenizer(
                    model,
                    Json.read(base.resolve("config.json")).path("pad_token_id").asInt(0));
            return model;
        }
    }

    private static void tokenizer(Path model, int padding) throws IOException {
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        root.putObject("pre_tokenizer").put("type", "Whitespace");
        ObjectNode words = root.putObject("model").put("type", "WordLevel").put("unk_token", "<3>");
        ObjectNode vocab = words.putObject("vocab");
        for (int id = 0; id < 4; id++) {
            vocab.put("<" + id + ">", id);
        }
        WORDS.forEach(word -> vocab.put(word, vocab.size()));
        Files.writeString(model.resolve("tokenizer.json"), Json.pretty(root));
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.put("pad_token", "<" + padding + ">").put("unk_token", "<3>").put("eos_token", "<2>");
        Files.writeString(model.resolve("tokenizer_config.json"), Json.pretty(config));
    }

    @ParameterizedTest
    @MethodSource("classifying")
    void loraTrains(String type) throws IOException {
        trains(type, word -> ", \"label\": \"" + word + "\"");
    }

    @ParameterizedTest
    @MethodSource("writing")
    void loraTrainsWhatOnlyWrites(String type) throws IOException {
        trains(type, word -> "");
    }

    private void trains(String type, UnaryOperator<String> label) throws IOException {
        StringBuilder rows = new StringBuilder();
        for (int i = 0; i < 12; i++) {
            String word = WORDS.get(i % 2);
            rows.append("{\"text\": \"%s %s\"%s}%n"
                    .formatted((word + " ").repeat(1 + i / 4), WORDS.get(2 + i % 4), label.apply(word)));
        }
        Path data = Files.writeString(folder.resolve("rows.jsonl"), rows);
        Path out = folder.resolve("out");

        Cli run = Cli.run(
                "train",
                "--model",
                "file:" + model(type),
                "--data",
                data,
                "--method",
                "lora",
                "--dtype",
                "fp32",
                "--epochs",
                "1",
                "--batch-size",
                "4",
                "--output-dir",
                out);

        assertThat(run.code()).as(run.err()).isZero();
        try (Safetensors adapter = Safetensors.open(out.resolve("adapter/adapter_model.safetensors"))) {
            assertThat(adapter.names())
                    .filteredOn(name -> name.contains("lora_B"))
                    .isNotEmpty()
                    .allSatisfy(name -> {
                        float[] values = adapter.tensor(name).floats();
                        boolean changed = false;
                        for (float value : values) {
                            changed |= value != 0;
                        }
                        assertThat(changed).as(name).isTrue();
                    });
        }
    }
}
