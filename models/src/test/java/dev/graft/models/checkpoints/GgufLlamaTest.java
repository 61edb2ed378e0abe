package dev.graft.models.checkpoints;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorSource;
import dev.graft.models.Base;
import dev.graft.models.Fixtures;
import dev.graft.models.Task;
import dev.graft.models.attention.RopeScaling;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GgufLlamaTest {
    @TempDir
    Path folder;

    /** A fixture as llama.cpp's converter writes it: other names, rows of queries and keys in another order. */
    static GgufFile gguf(String base) {
        GgufFile gguf = new GgufFile();
        Map<String, Object> fields = gguf.fields;
        fields.put("general.architecture", "llama");
        fields.put("llama.block_count", 2);
        fields.put("llama.context_length", 64);
        fields.put("llama.embedding_length", 32);
        fields.put("llama.feed_forward_length", 64);
        fields.put("llama.attention.head_count", 4);
        fields.put("llama.attention.head_count_kv", base.equals("llama-gqa") ? 2 : 4);
        fields.put("llama.attention.layer_norm_rms_epsilon", 1e-6f);
        fields.put("llama.rope.freq_base", 10000f);
        fields.put("llama.rope.dimension_count", 8);
        fields.put("tokenizer.ggml.bos_token_id", 1);
        fields.put("tokenizer.ggml.eos_token_id", 2);
        TensorSource source = Safetensors.open(Fixtures.folder(base).resolve("model.safetensors"));
        for (String name : source.names()) {
            TensorData tensor = source.tensor(name);
            gguf.tensors.put(
                    name.replaceFirst("^model\\.embed_tokens", "token_embd")
                            .replaceFirst("^model\\.norm", "output_norm")
                            .replaceFirst("^lm_head", "output")
                            .replaceFirst("^model\\.layers", "blk")
                            .replace("input_layernorm", "attn_norm")
                            .replace("post_attention_layernorm", "ffn_norm")
                            .replaceFirst("self_attn\\.([qkv])_proj", "attn_$1")
                            .replace("self_attn.o_proj", "attn_output")
                            .replaceFirst("mlp\\.(gate|up|down)_proj", "ffn_$1"),
                    name.matches(".*[qk]_proj.weight") ? permuted(tensor) : tensor);
        }
        return gguf;
    }

    /** {@code w.reshape(heads, 2, d / 2, in).swapaxes(1, 2).reshape(out, in)}, heads of 8 rows. */
    private static TensorData permuted(TensorData tensor) {
        float[] values = tensor.floats();
        float[] moved = new float[values.length];
        int in = (int) tensor.info().shape()[1];
        for (int row = 0; row < values.length / in; row++) {
            int target = row / 8 * 8 + row % 4 * 2 + row % 8 / 4;
            System.arraycopy(values, row * in, moved, target * in, in);
        }
        return TensorData.of(tensor.info().name(), moved, tensor.info().shape());
    }

    Base load(GgufFile gguf) throws IOException {
        gguf.write(folder.resolve("model.gguf"));
        return Base.load(folder);
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama-gqa", "llama-mha"})
    void parametersAreThoseOfTheHuggingFaceFolder(String name) throws IOException {
        Base base = load(gguf(name));

        assertThat(base.task()).isEqualTo(Task.CAUSAL_LM);
        assertThat(base.checksum()).isEqualTo(Base.load(Fixtures.folder(name)).checksum());
        assertThat(base.endTokens()).containsExactly(2);
        assertThat(base.config().number("rms_norm_eps")).isEqualTo(1e-6);
        assertThat(base.unusedTensors()).isEmpty();
    }

    @Test
    void headIsTiedWhereThereIsNone() throws IOException {
        GgufFile gguf = gguf("llama-gqa");
        gguf.tensors.remove("output.weight");
        Base base = load(gguf);

        assertThat(base.config().bool("tie_word_embeddings")).isTrue();
        assertThat(base.parameters()).doesNotContainKey("lm_head.weight");
        assertThat(base.parameterCount()).isEqualTo(22_688 - 64 * 32);
    }

    @Test
    void endOfTurnEndsATextToo() throws IOException {
        GgufFile gguf = gguf("llama-gqa");
        gguf.fields.put("tokenizer.ggml.eot_token_id", 9);

        assertThat(load(gguf).endTokens()).containsExactly(2, 9);
    }

    @Test
    void stretchedWavelengthsOfLlama3AreKnown() throws IOException {
        GgufFile gguf = gguf("llama-gqa");
        double theta = 500000;
        gguf.fields.put("llama.rope.freq_base", (float) theta);
        float[] factors = new float[4];
        for (int i = 0; i < 4; i++) {
            double wavelength = 2 * Math.PI * Math.pow(theta, i / 4.0);
            double smooth = (8192 / wavelength - 1) / 3;
            factors[i] = wavelength < 2048 ? 1 : wavelength > 8192 ? 8 : (float) (1 / ((1 - smooth) / 8 + smooth));
        }
        gguf.tensors.put("rope_freqs.weight", TensorData.of("rope_freqs.weight", factors, 4));
        Base base = load(gguf);

        double[] frequencies = RopeScaling.read(base.config(), 8).frequencies();
        for (int i = 0; i < 4; i++) {
            assertThat(frequencies[i])
                    .isCloseTo(
                            Math.pow(theta, -i / 4.0) / factors[i],
                            org.assertj.core.api.Assertions.withinPercentage(0.01));
        }
        assertThat(base.config().object("rope_parameters").string("rope_type")).isEqualTo("llama3");

        factors[2] = 3;
        gguf.tensors.put("rope_freqs.weight", TensorData.of("rope_freqs.weight", factors, 4));
        refused(gguf, g -> {}, "rope_freqs.weight");
    }

    @Test
    void variantsThatAreNoLlamaAreRefused() {
        refused(g -> g.fields.put("general.architecture", "mamba"), "general.architecture is \"mamba\"", "\"llama\"");
        refused(g -> g.fields.put("llama.expert_count", 8), "llama.expert_count");
        refused(g -> g.fields.put("llama.rope.scaling.type", "yarn"), "llama.rope.scaling.type is \"yarn\"");
        refused(g -> g.fields.put("llama.rope.dimension_count", 4), "llama.rope.dimension_count is 4", "8");
        refused(g -> g.fields.put("llama.attention.head_count", 5), "llama.attention.head_count is 5", "divisor");
        refused(g -> g.fields.remove("llama.block_count"), "has no key llama.block_count");
        refused(
                g -> g.tensors.put("blk.0.attn_q_norm.weight", TensorData.of("n", new float[8], 8)),
                "tensor blk.0.attn_q_norm.weight has no place in a llama model");
        refused(
                g -> g.tensors.remove("blk.1.ffn_up.weight"),
                "has no tensor model.layers.1.mlp.up_proj.weight [64, 32]");
        refused(
                g -> g.fields.put("llama.feed_forward_length", 96),
                "model.layers.0.mlp.gate_proj.weight has shape [64, 32], expected [96, 32]");
    }

    private void refused(Consumer<GgufFile> change, String... messages) {
        refused(gguf("llama-gqa"), change, messages);
    }

    private void refused(GgufFile gguf, Consumer<GgufFile> change, String... messages) {
        change.accept(gguf);
        assertThatThrownBy(() -> load(gguf))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("model.gguf")
                .hasMessageContainingAll(messages);
    }
}
