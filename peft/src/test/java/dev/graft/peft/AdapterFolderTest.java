package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.DType;
import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.forward.ForwardPass;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AdapterFolderTest {
    private static final Path MALFORMED = Bases.FIXTURES.resolve("malformed");
    private static final String CONFIG = "adapter_config.json";
    private static final String TENSORS = "adapter_model.safetensors";

    @TempDir
    private Path temporary;

    private static Base base() {
        return Bases.load(Bases.LLAMA);
    }

    private static Tensor logits(Adapter adapter) {
        return adapter.base()
                .logits(
                        Bases.batch(),
                        ForwardPass.inference(Selection.of(adapter).hooks()));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "good",
                "minimal-config",
                "targets-as-string",
                "training-mode",
                "float64",
                "no-task",
                "other-task",
                "no-targets",
                "adapter-name-in-keys"
            })
    void acceptsWhatMeansTheSame(String name) {
        Tensor good = logits(Adapter.load(base(), MALFORMED.resolve("good")));

        assertThat(Bases.difference(
                        logits(Adapter.load(base(), MALFORMED.resolve(name))),
                        good,
                        Bases.batch().mask()))
                .isLessThan(1e-6);
    }

    @Test
    void acceptsHalfPrecision() {
        Tensor good = logits(Adapter.load(base(), MALFORMED.resolve("good")));

        assertThat(Bases.difference(
                        logits(Adapter.load(base(), MALFORMED.resolve("float16"))),
                        good,
                        Bases.batch().mask()))
                .isBetween(1e-7, 5e-3);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "broken-json       | adapter_config.json",
                "empty-file        | the file has no tensors at all",
                "extra-tensor      | does not account for",
                "fewer-targets     | does not account for",
                "garbage-header    | adapter_model.safetensors",
                "integers          | is stored as I32, expected floating-point values",
                "lower-case-type   | peft_type is \"lora\", expected one of",
                "missing-tensor    | has no tensor base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight",
                "more-targets      | gate_proj.lora_A.weight",
                "nan               | has values that are not finite",
                "no-alpha          | lora_alpha is missing",
                "no-config         | no adapter_config.json here",
                "no-prefix         | the keys lack the prefix base_model.model.",
                "no-rank           | r is missing",
                "no-type           | has no peft_type",
                "no-weights        | adapter_model.safetensors is missing",
                "string-rank       | r is \"4\", expected an integer",
                "trailing-bytes    | adapter_model.safetensors",
                "truncated         | adapter_model.safetensors",
                "unknown-field     | unknown field",
                "unknown-type      | \"NOT_A_METHOD\"",
                "wrong-rank        | has shape",
                "wrong-shape       | has shape",
                "wrong-targets     | not_there",
                "zero-length       | adapter_model.safetensors",
                "zero-rank         | r is 0, expected an integer of at least 1"
            })
    void refusesWhatIsDamagedOrUnclear(String name, String message) {
        assertThatThrownBy(() -> Adapter.load(base(), MALFORMED.resolve(name)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(message);
    }

    @Test
    void theListIsComplete() throws Exception {
        try (Stream<Path> cases = Files.list(MALFORMED)) {
            assertThat(cases.filter(Files::isDirectory).count()).isEqualTo(9 + 1 + 26);
        }
    }

    private Path copy(String from) throws IOException {
        Path folder = Files.createDirectories(temporary.resolve("copy"));
        for (String file : List.of(CONFIG, TENSORS)) {
            Files.copy(MALFORMED.resolve(from).resolve(file), folder.resolve(file));
        }
        return folder;
    }

    private Path withConfig(UnaryOperator<String> change) throws IOException {
        Path folder = copy("good");
        String config = Files.readString(folder.resolve(CONFIG));
        String changed = change.apply(config);
        assertThat(changed).isNotEqualTo(config);
        Files.writeString(folder.resolve(CONFIG), changed);
        return folder;
    }

    private Path withTensors(UnaryOperator<List<TensorData>> change) throws IOException {
        Path folder = copy("good");
        List<TensorData> tensors = new ArrayList<>();
        try (Safetensors good = Safetensors.open(MALFORMED.resolve("good").resolve(TENSORS))) {
            good.names().forEach(name -> tensors.add(good.tensor(name)));
            Safetensors.write(folder.resolve(TENSORS), change.apply(tensors), Map.of());
        }
        return folder;
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"r\": 4            | \"r\": -1             | r is -1",
                "\"r\": 4            | \"r\": 2147483648     | r is 2147483648",
                "\"r\": 4            | \"r\": 4, \"r\": 4    | r",
                "\"lora_alpha\": 6   | \"lora_alpha\": NaN   | not valid JSON: NaN and Infinity are no numbers here",
                "\"lora_alpha\": 6   | \"lora_alpha\": \"6\" | lora_alpha is \"6\"",
                "\"lora_dropout\": 0.0 | \"lora_dropout\": 2.0 | lora_dropout is 2.0, expected 0 or more and less than"
                        + " 1",
                "\"task_type\": \"CAUSAL_LM\" | \"task_type\": \"WHAT\" | task_type is \"WHAT\", expected one of",
                "\"use_rslora\": false | \"use_rslora\": 0   | use_rslora is 0",
                "\"megatron_config\": null | \"megatron_config\": {\"a\": 1} | megatron_config",
                "\"arrow_config\": null | \"arrow_config\": {\"top_k\": 3} | arrow_config",
                "\"init_lora_weights\": true | \"init_lora_weights\": \"corda\" | init_lora_weights is corda",
                "\"init_lora_weights\": true | \"init_lora_weights\": \"pissa_niter_4\" | init_lora_weights is"
                        + " pissa_niter_4",
                "\"loftq_config\": \\{\\} | \"loftq_config\": {\"loftq_bits\": 4} | loftq_config is {\"loftq_bits\":4}",
                "\"init_lora_weights\": true | \"init_lora_weights\": \"pisa\" | init_lora_weights is \"pisa\"",
                "\"eva_config\": null | \"eva_config\": {\"rho\": 2.0} | eva_config is {\"rho\":2.0}",
                "\"layer_replication\": null | \"layer_replication\": [[1, 1]] | layer_replication is [[1,1]]",
                "\"layer_replication\": null | \"layer_replication\": [[0, 9]] | layer 2 is to be repeated",
                "\"alora_invocation_tokens\": null | \"alora_invocation_tokens\": [64] | alora_invocation_tokens: 64"
            })
    void refusesValuesByTheNameOfTheirField(String from, String to, String message) throws Exception {
        Path folder = withConfig(config -> config.replaceFirst(from.replace("6", "\\S+?(?=,)"), to));

        assertThatThrownBy(() -> Adapter.load(base(), folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(CONFIG)
                .hasMessageContaining(message);
    }

    @Test
    void takesNullFieldsThatItDoesNotKnow() throws Exception {
        Path folder = withConfig(config -> config.replaceFirst("\\{", "{\"of_a_newer_peft\": null, "));
        assertThat(Adapter.load(base(), folder).config())
                .isEqualTo(Adapter.load(base(), MALFORMED.resolve("good")).config());
    }

    @ParameterizedTest
    @ValueSource(strings = {"false", "[]", "{}", "0"})
    void refusesOtherFieldsThatItDoesNotKnow(String value) throws Exception {
        Path folder = withConfig(config -> config.replaceFirst("\\{", "{\"of_a_newer_peft\": " + value + ", "));
        assertThatThrownBy(() -> Adapter.load(base(), folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("unknown field \"of_a_newer_peft\"");
    }

    private static Adapter tied(Base base, boolean equal) {
        LoraConfig config = LoraConfig.DEFAULT.withR(2).withAlpha(4).withTargets(TargetModules.names("q_proj"));
        AdapterConfig both =
                AdapterConfig.of(base, new Lora(config)).withModulesToSave(List.of("embed_tokens", "lm_head"));
        Adapter adapter = Adapter.create(base, both, 1);
        try (NoGrad noGrad = new NoGrad()) {
            Tensor embedding = adapter.value("model.embed_tokens.weight");
            embedding.add_(Rng.of(3, "rows").normal(0, 0.2, Tensors.shape(embedding)));
            if (equal) {
                adapter.value("lm_head.weight").copy_(embedding);
            }
        }
        return adapter;
    }

    /** PEFT names the embedding alone and saves both. */
    private Path tyingFile(Adapter adapter) throws IOException {
        Path folder = temporary.resolve("tied");
        adapter.save(folder);
        String config = Files.readString(folder.resolve(CONFIG));
        Files.writeString(
                folder.resolve(CONFIG),
                config.replaceFirst("(\"ensure_weight_tying\"\\s*:\\s*)false", "$1true")
                        .replaceFirst("\"embed_tokens\"\\s*,\\s*\"lm_head\"", "\"embed_tokens\""));
        assertThat(Files.readString(folder.resolve(CONFIG))).doesNotContain("lm_head");
        return folder;
    }

    @Test
    void aTiedHeadHasTheWeightThatIsSavedForTheEmbedding() throws Exception {
        Base base = Bases.load(Bases.TIED);
        Adapter trained = tied(base, true);
        Adapter read = Adapter.load(base, tyingFile(trained));

        assertThat(Bases.difference(logits(read), logits(trained), Bases.batch().mask()))
                .isZero();
        read.save(temporary.resolve("again"));
        Adapter again = Adapter.load(base, temporary.resolve("again"));
        assertThat(Bases.difference(
                        logits(again), logits(trained), Bases.batch().mask()))
                .isZero();
        assertThatThrownBy(() -> Adapter.create(base, read.config(), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("ensure_weight_tying is true")
                .hasMessageContaining("leave it false");
    }

    @Test
    void refusesATiedHeadThatDiffersFromTheEmbedding() throws Exception {
        Base base = Bases.load(Bases.TIED);
        Path folder = tyingFile(tied(base, false));
        assertThatThrownBy(() -> Adapter.load(base, folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(TENSORS)
                .hasMessageContaining("lm_head")
                .hasMessageContaining("ensure_weight_tying");
    }

    @Test
    void refusesARegularExpressionThatNeverEnds() throws Exception {
        Path folder = withConfig(config ->
                config.replaceFirst("\"target_modules\": \\[[^]]*]", "\"target_modules\": \"(.*.*)*.*.*(.*.*)*#\""));

        assertThatThrownBy(() -> Adapter.load(base(), folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("target_modules")
                .hasMessageContaining("takes too long");
    }

    @Test
    void refusesInfinity() throws Exception {
        Path folder = withTensors(tensors -> {
            TensorData first = tensors.get(0);
            ByteBuffer values = ByteBuffer.allocate(first.bytes().remaining())
                    .put(first.bytes().duplicate());
            values.order(java.nio.ByteOrder.LITTLE_ENDIAN).putFloat(0, Float.POSITIVE_INFINITY);
            tensors.set(0, new TensorData(first.info(), values.flip()));
            return tensors;
        });

        assertThatThrownBy(() -> Adapter.load(base(), folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("has values that are not finite");
    }

    @Test
    void refusesTwoTensorsThatMeanTheSame() throws Exception {
        Path folder = withTensors(tensors -> {
            TensorData first = tensors.get(0);
            String twice = first.info().name().replaceFirst("\\.weight$", ".default.weight");
            tensors.add(
                    new TensorData(new TensorInfo(twice, DType.F32, first.info().shape()), first.bytes()));
            return tensors;
        });

        assertThatThrownBy(() -> Adapter.load(base(), folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("means the same as");
    }

    @Test
    void neverReadsPickle() throws Exception {
        Path folder = copy("good");
        Files.delete(folder.resolve(TENSORS));
        Files.write(folder.resolve("adapter_model.bin"), new byte[] {(byte) 0x80, 2});

        assertThatThrownBy(() -> Adapter.load(base(), folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("adapter_model.bin")
                .hasMessageContaining("pickle files are never read");
    }

    /** PEFT with bias "all" saves the biases of a classifier of several layers thrice. */
    @Test
    void readsBiasesThatStandUnderTheNamesOfAWrapperToo() throws Exception {
        Base base = Base.load(Bases.FIXTURES.resolve("bases/roberta-seqcls"), Base.Options.of(Task.SEQ_CLS));
        LoraConfig all = LoraConfig.DEFAULT.withR(2).withAlpha(4).withTargets(TargetModules.names("query"));
        Path folder = temporary.resolve("all");
        Adapter.create(base, new Lora(all), 1).save(folder);
        Path file = folder.resolve(TENSORS);
        List<TensorData> tensors = new ArrayList<>();
        try (TensorSource source = Safetensors.open(file)) {
            source.names().forEach(name -> tensors.add(source.tensor(name)));
        }
        float[] zeros = new float[32];
        for (String wrapper : List.of("original_module", "modules_to_save.default")) {
            tensors.add(TensorData.of("base_model.model.classifier." + wrapper + ".dense.bias", zeros, 32));
        }
        Safetensors.write(file, tensors, Map.of("format", "pt"));

        Adapter adapter = Adapter.load(base, folder);
        assertThat(adapter.parameters()).containsKey("classifier.dense.bias");
    }

    @Test
    void refusesAnotherBaseOfTheSameShape() throws Exception {
        Adapter.load(base(), MALFORMED.resolve("good")).save(temporary.resolve("adapter"));
        Path other = Files.createDirectories(temporary.resolve("other"));
        Path from = Bases.FIXTURES.resolve("bases/" + Bases.LLAMA);
        Files.copy(from.resolve("config.json"), other.resolve("config.json"));
        byte[] weights = Files.readAllBytes(from.resolve("model.safetensors"));
        weights[weights.length - 4] ^= 1;
        Files.write(other.resolve("model.safetensors"), weights);

        assertThatThrownBy(() -> Adapter.load(Base.load(other), temporary.resolve("adapter")))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("graft.json")
                .hasMessageContaining("trained on another base");
    }

    @Test
    void refusesSizesThatAreNotTheBases() throws Exception {
        Path from = Bases.FIXTURES.resolve("adapters/llama-gqa/prefix-tuning");
        Path folder = Files.createDirectories(temporary.resolve("prefix"));
        Files.copy(from.resolve(TENSORS), folder.resolve(TENSORS));
        Files.writeString(
                folder.resolve(CONFIG),
                Files.readString(from.resolve(CONFIG))
                        .replace("\"num_attention_heads\": 2", "\"num_attention_heads\": 4"));

        assertThatThrownBy(() -> Adapter.load(base(), folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("num_attention_heads is 4, expected 2, as llama-gqa has");
    }

    @Test
    void refusesTheAdaptersOfAnotherTool() throws Exception {
        Path folder = Files.createDirectories(temporary.resolve("mlx"));
        Files.writeString(folder.resolve(CONFIG), "{\"fine_tune_type\": \"lora\", \"lora_parameters\": {}}");

        assertThatThrownBy(() -> Adapter.load(base(), folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("mlx-lm");
    }

    @Test
    void leavesNothingBehindWhereItCannotSave() throws Exception {
        Path file = Files.writeString(temporary.resolve("file"), "in the way");

        assertThatThrownBy(() -> Adapter.load(base(), MALFORMED.resolve("good")).save(file.resolve("adapter")))
                .isInstanceOf(Exception.class);
        assertThat(temporary.toFile().list()).containsExactly("file");
    }

    @Test
    void keepsWhatItReadOfTheConfiguration() {
        AdapterConfig read = Adapter.load(base(), MALFORMED.resolve("good")).config();

        assertThat(read.baseName()).isEqualTo("bases/llama-gqa");
        assertThat(((Lora) read.method()).config().r()).isEqualTo(4);
        assertThat(LoraConfig.DEFAULT.r()).isEqualTo(16);
    }
}
