package dev.graft.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.FormatException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.node.ObjectNode;

/** The registered families, and the page about them; -Dgraft.docs=write writes it. */
class FamiliesTest {
    private static final Path PAGE = Path.of("../docs/reference/models.md");

    private static List<Architecture> families() {
        return ServiceLoader.load(Architecture.class).stream()
                .map(ServiceLoader.Provider::get)
                .sorted(Comparator.comparing(Architecture::modelType))
                .toList();
    }

    /** The tiny models of the reference by their type. */
    private static Map<String, TreeSet<String>> compared() throws IOException {
        Map<String, TreeSet<String>> byType = new TreeMap<>();
        try (Stream<Path> folders = Files.list(Fixtures.BASES)) {
            for (Path folder : folders.toList()) {
                String type = Json.read(folder.resolve("config.json"))
                        .path("model_type")
                        .stringValue();
                byType.computeIfAbsent(type, t -> new TreeSet<>())
                        .add(folder.getFileName().toString());
            }
        }
        return byType;
    }

    private static String page() throws IOException {
        StringBuilder page = new StringBuilder("""
                # Model families

                What a `config.json` may have as `model_type`, the heads that a model of the family can have, and the tiny models in
                [parity/fixtures/bases](../../parity/fixtures/bases) on which Graft's hidden states, outputs, losses and generated tokens are
                compared with those of transformers. A configuration value that Graft doesn't know is refused by name.

                A test writes this table from the registry; a new family gets its row by registration and fixtures.

                | `model_type` | classes | heads | compared on |
                |---|---|---|---|
                """);
        Map<String, TreeSet<String>> compared = compared();
        for (Architecture family : families()) {
            String heads = family.tasks().stream()
                    .sorted()
                    .map(task -> task.name().toLowerCase(Locale.ROOT).replace('_', '-'))
                    .collect(Collectors.joining(", "));
            page.append("| `%s` | `%s…` | %s | %s |%n"
                    .formatted(
                            family.modelType(),
                            family.stem(),
                            heads,
                            String.join(", ", compared.getOrDefault(family.modelType(), new TreeSet<>()))));
        }
        return page.toString();
    }

    @Test
    void thePageListsThem() throws IOException {
        if ("write".equals(System.getProperty("graft.docs"))) {
            Files.writeString(PAGE, page());
        }
        assertThat(Files.readString(PAGE))
                .as("docs/reference/models.md is older than the registry; run this test with -Dgraft.docs=write")
                .isEqualTo(page());
    }

    @Test
    void everyFamilyIsComparedWithTheReference() throws IOException {
        assertThat(compared().keySet())
                .containsAll(families().stream().map(Architecture::modelType).toList());
    }

    @Test
    void classNamesAndTasksAreInverse() {
        for (Architecture family : families()) {
            assertThat(family.tasks())
                    .allSatisfy(task ->
                            assertThat(family.task(family.className(task))).isEqualTo(task));
        }
    }

    /** What a config.json may ask for that no code here does. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "gpt2 | add_cross_attention | true",
                "gpt2 | activation_function | \"mish\"",
                "roberta-seqcls | pad_token_id | null",
                "roberta-seqcls | position_embedding_type | \"relative_key\"",
                "distilbert-seqcls | n_heads | 5",
                "modernbert-mlm | layer_types | [\"full_attention\"]",
                "qwen2 | layer_types | [\"full_attention\", \"chunked_attention\"]",
                "qwen3 | num_key_value_heads | 3",
                "mistral | layer_types | [\"full_attention\", \"sliding_attention\"]",
                "gemma3 | final_logit_softcapping | 30.0",
                "gemma3 | use_bidirectional_attention | true",
                "mixtral | router_jitter_noise | 0.1",
                "mixtral | hidden_act | \"xielu\"",
                "llama3-rope | rope_parameters.rope_type | \"ntk\"",
                "llama3-rope | rope_parameters.low_frequency_factor | 1.0",
                "phi3-longrope | rope_parameters.short_factor | [1.0]",
                "phi3-longrope | rope_parameters.long_factor | [1.0, 0.0]"
            })
    void whatNoCodeDoesIsRefusedByName(String base, String field, String value, @TempDir Path folder) {
        Fixtures.copy(base, folder, config -> {
            String[] path = field.split("\\.");
            ObjectNode parent = path.length == 1 ? config : (ObjectNode) config.get(path[0]);
            parent.set(path[path.length - 1], Json.parse("the value", value));
        });

        assertThatThrownBy(() -> Base.load(folder))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining(field)
                .hasMessageContaining("config.json");
    }
}
