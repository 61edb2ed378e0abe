package dev.graft.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.models.checkpoints.PretrainedCheckpoint;
import dev.graft.models.checkpoints.PretrainedCheckpoints;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.node.ObjectNode;

class RefusedCheckpointsTest {
    @TempDir
    Path folder;

    static Stream<Arguments> configs() {
        return Stream.of(
                config("llama-gqa", c -> c.put("model_type", "gpt_nix"), "model_type is \"gpt_nix\"", "bart, bert, "),
                config("llama-gqa", c -> c.remove("model_type"), "model_type is missing"),
                config(
                        "llama-gqa",
                        c -> c.putObject("rope_parameters")
                                .put("rope_type", "spiral")
                                .put("factor", 2),
                        "rope_type is \"spiral\"",
                        "default, "),
                config("llama-gqa", c -> c.put("hidden_act", "xielu"), "hidden_act is \"xielu\"", "silu"),
                config(
                        "llama-gqa",
                        c -> c.putObject("quantization_config").put("quant_method", "gptq"),
                        "quant_method is \"gptq\", expected \"bitsandbytes\""),
                config("llama-gqa", c -> c.put("num_key_value_heads", 3), "num_key_value_heads is 3", "divisor"),
                config("llama-gqa", c -> c.put("pretraining_tp", 2), "pretraining_tp is 2"),
                config("llama-gqa", c -> c.put("hidden_size", "32"), "hidden_size is \"32\", expected an integer"),
                config(
                        "llama-gqa",
                        c -> c.put("intermediate_size", 128),
                        "model.layers.0.mlp.gate_proj.weight has shape [64, 32], expected [128, 32]"),
                config(
                        "llama-gqa",
                        c -> c.put("num_hidden_layers", 3),
                        "has no tensor model.layers.2.self_attn.q_proj.weight"),
                config("llama-gqa", c -> c.put("eos_token_id", "end"), "eos_token_id is \"end\""),
                config("llama-gqa", c -> c.put("head_dim", 7), "heads of 7 values, of which 7 rotate in pairs"),
                config(
                        "llama-gqa",
                        c -> c.putObject("rope_parameters").put("rope_theta", 0),
                        "rope_theta is 0",
                        "above 0"),
                config(
                        "llama-gqa",
                        c -> c.putObject("rope_parameters").put("rope_theta", -1),
                        "rope_theta is -1",
                        "above 0"),
                config("llama-gqa", c -> c.put("rms_norm_eps", -1), "rms_norm_eps is -1", "a number from 0"),
                config(
                        "llama-gqa",
                        c -> c.putObject("rope_parameters")
                                .put("rope_type", "linear")
                                .put("factor", 0),
                        "rope_parameters.factor is 0",
                        "above 0"),
                config("bert-base", c -> c.put("is_decoder", true), "is_decoder is true"),
                config("bert-base", c -> c.put("num_attention_heads", 5), "num_attention_heads is 5", "divisor"),
                config(
                        "bert-base",
                        c -> c.put("position_embedding_type", "relative_key"),
                        "position_embedding_type is \"relative_key\""));
    }

    private static Arguments config(String base, Consumer<ObjectNode> change, String... messages) {
        return Arguments.of(base, change, List.of(messages));
    }

    @ParameterizedTest
    @MethodSource("configs")
    void configThatCannotBeHonouredIsRefused(String base, Consumer<ObjectNode> change, List<String> messages) {
        Fixtures.copy(base, folder, change);

        assertThatThrownBy(() -> Base.load(folder).endTokens())
                .isInstanceOf(InputException.class)
                .hasMessageContainingAll(messages.toArray(String[]::new));
    }

    @Test
    void missingTensorIsNamedWithItsShape() {
        rewrite(tensors -> tensors.removeIf(t -> t.info().name().equals("model.layers.1.mlp.up_proj.weight")));

        assertThatThrownBy(() -> Base.load(folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("model.safetensors")
                .hasMessageContaining("model.layers.1.mlp.up_proj.weight [64, 32]");
    }

    @Test
    void headThatIsNeitherTiedNorThereIsRefused() {
        rewrite(tensors -> tensors.removeIf(t -> t.info().name().equals("lm_head.weight")));

        assertThatThrownBy(() -> Base.load(folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("tie_word_embeddings is false")
                .hasMessageContaining("lm_head.weight");
    }

    @Test
    void truncatedWeightsAreRefused() throws IOException {
        Fixtures.copy("llama-gqa", folder, config -> {});
        try (RandomAccessFile file =
                new RandomAccessFile(folder.resolve("model.safetensors").toFile(), "rw")) {
            file.setLength(file.length() - 1000);
        }

        assertThatThrownBy(() -> Base.load(folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("model.safetensors");
    }

    @Test
    void taskWithoutAHeadIsRefused() {
        assertThatThrownBy(() -> Base.load(Fixtures.folder("bert-base"), Base.Options.of(Task.CAUSAL_LM)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("bert has no head for CAUSAL_LM");
    }

    @Test
    void folderWithSeveralModelsNamesThem() throws IOException {
        Files.write(folder.resolve("a.gguf"), new byte[] {1});
        Files.write(folder.resolve("b.onnx"), new byte[] {1});

        assertThatThrownBy(() -> Base.load(folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("more than one model")
                .hasMessageContaining("a.gguf")
                .hasMessageContaining("b.onnx");
    }

    @Test
    void sourceThatIsNothingIsRefused() {
        assertThatThrownBy(() -> Base.load("minilmm", Base.Options.DEFAULT))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("did you mean 'minilm'");
    }

    private void rewrite(Consumer<List<TensorData>> change) {
        Fixtures.copy("llama-gqa", folder, config -> {});
        Path file = folder.resolve("model.safetensors");
        List<TensorData> tensors = new ArrayList<>();
        try (Safetensors source = Safetensors.open(file)) {
            source.names().forEach(name -> tensors.add(source.tensor(name)));
            change.accept(tensors);
            Safetensors.write(file, tensors, Map.of("format", "pt"));
        }
    }

    @Test
    void aFileThatIsCutOrWrittenToUnderItsModelIsAnError() throws IOException {
        for (boolean cut : new boolean[] {true, false}) {
            Path copy = folder.resolve(cut ? "cut" : "written");
            Files.createDirectory(copy);
            Fixtures.copy("llama-gqa", copy, config -> {});
            Path weights = copy.resolve("model.safetensors");
            PretrainedCheckpoint opened = PretrainedCheckpoints.open(copy);
            Base loaded = Base.load(copy);
            String before = loaded.checksum();
            if (cut) {
                try (FileChannel channel = FileChannel.open(weights, StandardOpenOption.WRITE)) {
                    channel.truncate(Files.size(weights) / 2);
                }
            } else {
                Files.setLastModifiedTime(weights, FileTime.fromMillis(0));
            }
            assertThatThrownBy(() -> Base.of("late", opened, Base.Options.DEFAULT))
                    .isInstanceOf(FormatException.class)
                    .hasMessageContaining("changed since it was opened");
            assertThatThrownBy(loaded::fingerprint)
                    .isInstanceOf(FormatException.class)
                    .hasMessageContaining("changed since it was opened");
            assertThat(loaded.checksum())
                    .as("what is loaded needs the file no more")
                    .isEqualTo(before);
        }
    }
}
