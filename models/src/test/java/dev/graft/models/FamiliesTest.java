package dev.graft.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Site;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
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

    /** A tiny model of the reference. */
    private record Compared(String name, String type, Task task, String against) {}

    private static List<Compared> compared() throws IOException {
        List<Compared> compared = new ArrayList<>();
        try (Stream<Path> folders = Files.list(Fixtures.BASES)) {
            for (Path folder : folders.sorted().toList()) {
                Fields config = Fields.read(folder.resolve("config.json"));
                JsonNode versions = Json.read(folder.resolve("manifest.json")).path("versions");
                compared.add(new Compared(
                        folder.getFileName().toString(),
                        config.string("model_type"),
                        Architecture.of(config)
                                .task(config.strings("architectures", List.of(""))
                                        .get(0)),
                        versions.path("transformers").asString("5.24.0")));
            }
        }
        return compared;
    }

    /** What {@link RealGoldensTest} and {@link RealAnswersTest} compare, by the name in the catalogue. */
    private static Map<String, String> real() {
        Map<String, String> real = new TreeMap<>();
        Path folder = Fixtures.BASES.resolveSibling("real");
        Json.read(folder.resolve("goldens.json"))
                .properties()
                .forEach(golden -> real.put(
                        golden.getKey(),
                        golden.getValue().has("loss")
                                ? "token ids, loss, greedy text"
                                : "token ids, sentence embeddings, cosines"));
        real.put("whisper-tiny-en", "logits and text of a recording");
        real.put("flan-t5-titles", "token ids, logits, greedy text; with ONNX Runtime, its int8 products in floats");
        assertThat(Json.read(folder.resolve("seq2seq.json")).propertyNames())
                .containsExactlyInAnyOrder("whisper", "t5");
        return real;
    }

    private static String words(Task task) {
        return task.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    private static String page() throws IOException {
        StringBuilder page = new StringBuilder("""
                # Model families

                What a `config.json` may have as `model_type`, the heads that a model of the family can have, and for each head the tiny
                models in [parity/fixtures/bases](../../parity/fixtures/bases) on which Graft's hidden states, outputs, losses and generated
                tokens are compared with those of transformers. A head without one has the parts of others and no comparison of its own. A
                configuration value that Graft doesn't know is refused by name.

                A test writes this page from the registry, the fixtures and their manifests; a new family gets its rows by registration and
                fixtures.

                | `model_type` | classes | head | compared on | with transformers |
                |---|---|---|---|---|
                """);
        List<Compared> compared = compared();
        for (Architecture family : families()) {
            for (Task task : family.tasks().stream().sorted().toList()) {
                List<Compared> own = compared.stream()
                        .filter(each -> each.type().equals(family.modelType()) && each.task() == task)
                        .toList();
                page.append("| `%s` | `%s` | %s | %s | %s |%n"
                        .formatted(
                                family.modelType(),
                                family.className(task),
                                words(task),
                                own.stream().map(Compared::name).collect(Collectors.joining(", ")),
                                own.stream().map(Compared::against).distinct().collect(Collectors.joining(", "))));
            }
        }
        page.append("""

                ## Real checkpoints

                Names of `graft pull --list` whose weights compute what transformers (or what is said) computes with the same weights, read there by
                [parity/python/real_goldens.py](../../parity/python/real_goldens.py) and `real_seq2seq.py`. The comparisons are the slow tests
                `RealGoldensTest` and `RealAnswersTest`, which fetch the weights.

                | checkpoint | compared |
                |---|---|
                """);
        real().forEach((name, what) -> page.append("| `%s` | %s |%n".formatted(name, what)));
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
        assertThat(compared().stream().map(Compared::type))
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

    /** As the published checkpoints say them. */
    @Test
    void bloomReadsTheOlderNamesOfItsSizes(@TempDir Path folder) {
        Fixtures.copy("bloom", folder, config -> {
            config.put("n_embed", config.remove("hidden_size").intValue());
            config.set("num_attention_heads", config.remove("n_head"));
            config.set("num_hidden_layers", config.remove("n_layer"));
        });

        assertThat(Base.load(folder).backbone().size())
                .isEqualTo(Base.load(Fixtures.folder("bloom")).backbone().size());
    }

    /** As the published files of Llama 4 have it. */
    @ParameterizedTest
    @CsvSource({"4, true", "0, false"})
    void llama4ReadsANumberForWhetherTheTemperatureIsTuned(int given, boolean same, @TempDir Path folder) {
        Fixtures.copy("llama4-tuned", folder, config -> config.put("attn_temperature_tuning", given));

        assertThat(sameHidden("llama4-tuned", folder)).isEqualTo(same);
    }

    /** As NVIDIA's files say them. */
    @Test
    void nemotronHReadsTheLettersOfItsLayers(@TempDir Path folder) {
        Fixtures.copy("nemotron-h", folder, config -> {
            config.remove("layers_block_type");
            config.put("hybrid_override_pattern", "M-*M");
        });

        assertThat(Base.load(folder).sites())
                .extracting(Site::name)
                .containsExactlyElementsOf(Base.load(Fixtures.folder("nemotron-h")).sites().stream()
                        .map(Site::name)
                        .toList());
    }

    /** The plain names say something else, which doesn't count. */
    @Test
    void nemotronHReadsTheOlderNamesOfItsFields(@TempDir Path folder) {
        Fixtures.copy("nemotron-h", folder, config -> {
            config.set("layer_types", config.get("layers_block_type"));
            config.putArray("layers_block_type").add("mlp");
            config.set("mamba_n_groups", config.get("n_groups"));
            config.put("n_groups", 1);
            config.set("mamba_d_conv", config.get("conv_kernel"));
            config.put("conv_kernel", 5);
            config.set("mamba_chunk_size", config.get("chunk_size"));
            config.put("chunk_size", 0);
            config.set("mamba_conv_bias", config.get("use_conv_bias"));
            config.put("use_conv_bias", false);
            config.set("mamba_dt_min", config.get("time_step_min"));
            config.put("time_step_min", 9.0);
        });

        assertThat(sameHidden("nemotron-h", folder)).isTrue();
    }

    /** The default of transformers. */
    @Test
    void nemotronHHasEightHeadsOfKeysWhereNothingIsSaid(@TempDir Path folder) {
        Fixtures.copy("nemotron-h", folder, config -> config.remove("num_key_value_heads"));

        assertThatThrownBy(() -> Base.load(folder))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("num_key_value_heads");
    }

    @Test
    void llama4SharesAHiddenStateOutToHeadsOfNoSize(@TempDir Path folder) {
        Fixtures.copy("llama4", folder, config -> config.putNull("head_dim"));

        assertThat(sameHidden("llama4", folder)).isTrue();
    }

    private static boolean sameHidden(String base, Path folder) {
        Inputs in = Inputs.of(new long[][] {{5, 9, 31, 7, 8, 40}});
        return Base.load(Fixtures.folder(base))
                .forward(in, ForwardPass.inference(Hooks.NONE))
                .last()
                .equal(Base.load(folder)
                        .forward(in, ForwardPass.inference(Hooks.NONE))
                        .last());
    }

    /** Layers whose kinds follow from where they stand would be others in another order: of Gemma 3 the sixth. */
    @ParameterizedTest
    @ValueSource(strings = {"llama4", "gemma2", "gemma3", "smollm3", "qwen3-moe", "modernbert-mlm", "nemotron-h"})
    void layersOfSeveralKindsAreNotRepeated(String base, @TempDir Path folder) {
        Fixtures.copy(base, folder, config -> config.remove(List.of("layer_types", "no_rope_layers", "moe_layers")));
        Base whole = Base.load(folder);

        assertThatThrownBy(() -> whole.withLayers(List.of(0, 1, 0, 1, 0, 1)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("its layers are of several kinds");
    }

    /** What a config.json may ask for that no code here does. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "gpt2 | add_cross_attention | true",
                "gpt2 | activation_function | \"mish\"",
                "gpt-bigcode | add_cross_attention | true",
                "gpt-neo | attention_types | [[[\"global\"], 1]]",
                "gpt-neo | attention_types | [[[\"global\", \"linear\", \"local\"], 1]]",
                "bloom | n_head | 3",
                "bloom | n_inner | 24",
                "mpt | n_heads | 3",
                "mpt | no_bias | false",
                "mpt | logit_scale | \"inv_sqrt_d_model\"",
                "mpt | norm_type | \"rmsnorm\"",
                "mpt | attn_config.attn_type | \"multiquery_attention\"",
                "mpt | attn_config.alibi | false",
                "mpt | attn_config.qk_ln | true",
                "opt | num_attention_heads | 5",
                "opt | layerdrop | 0.1",
                "opt | layer_norm_elementwise_affine | false",
                "roberta-seqcls | pad_token_id | null",
                "roberta-seqcls | position_embedding_type | \"relative_key\"",
                "distilbert-seqcls | n_heads | 5",
                "modernbert-mlm | layer_types | [\"full_attention\"]",
                "qwen2 | layer_types | [\"full_attention\", \"chunked_attention\"]",
                "qwen3 | num_key_value_heads | 3",
                "mistral | layer_types | [\"full_attention\", \"sliding_attention\"]",
                "exaone4-qa | layer_types | [\"full_attention\", \"sliding_attention\"]",
                "gemma | hidden_activation | \"relu\"",
                "gemma2 | attn_logit_softcapping | 0.0",
                "gemma2 | final_logit_softcapping | -30.0",
                "gemma2 | layer_types | [\"full_attention\"]",
                "gemma2 | use_bidirectional_attention | true",
                "gemma3 | attn_logit_softcapping | 50.0",
                "gemma3 | use_bidirectional_attention | true",
                "mixtral | router_jitter_noise | 0.1",
                "mixtral | hidden_act | \"xielu\"",
                "llama4 | router_jitter_noise | 0.1",
                "llama4 | layer_types | [\"full_attention\", \"sliding_attention\"]",
                "llama4 | no_rope_layers | [1]",
                "llama4 | num_experts_per_tok | 4",
                "llama4 | attention_chunk_size | null",
                "llama4-pictures | text_config.num_key_value_heads | 3",
                "llama3-rope | rope_parameters.rope_type | \"ntk\"",
                "llama3-rope | rope_parameters.low_frequency_factor | 1.0",
                "falcon | num_ln_in_parallel_attn | 2",
                "falcon-new | num_ln_in_parallel_attn | 3",
                "falcon-new | parallel_attn | false",
                "falcon-new | num_kv_heads | 3",
                "falcon-serial | num_kv_heads | 2",
                "refined-web-large | n_head_kv | 3",
                "gptj | rotary_dim | 10",
                "gptj | rotary_dim | 3",
                "codegen | n_head | 5",
                "stablelm | num_key_value_heads | 3",
                "rwkv | context_length | 0",
                "nemotron-h | layers_block_type | [\"linear_attention\", \"moe\"]",
                "nemotron-h | n_groups | 3",
                "nemotron-h | layer_types | [\"linear_attention\", \"moe\"]",
                "nemotron-h | mamba_n_groups | 3",
                "nemotron-h | num_nextn_predict_layers | 1",
                "nemotron-h | num_key_value_heads | 3",
                "nemotron-h | mamba_hidden_act | \"gelu\"",
                "nemotron-h | mamba_proj_bias | true",
                "nemotron-h | attention_bias | true",
                "nemotron-h | sliding_window | 4",
                "nemotron-h | tie_word_embeddings | true",
                "deberta-mlm | relative_attention | false",
                "deberta-mlm | talking_head | true",
                "t5-seqcls | decoder_start_token_id | null",
                "umt5-qa | decoder_start_token_id | null",
                "mt5 | feed_forward_proj | \"gated-mish\"",
                "bart | encoder_layerdrop | 0.1",
                "bart | decoder_layerdrop | 0.1",
                "whisper | scale_embedding | true",
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
