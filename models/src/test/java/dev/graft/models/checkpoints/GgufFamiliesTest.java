package dev.graft.models.checkpoints;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.FormatException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorSource;
import dev.graft.models.Base;
import dev.graft.models.Fixtures;
import dev.graft.models.Pass;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.Scope;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** GGUF files of families that llama.cpp's converter writes without reordering rows. */
class GgufFamiliesTest {
    private static final Map<String, String> NAMES = Map.ofEntries(
            Map.entry("input_layernorm", "attn_norm"),
            Map.entry("self_attn.q_proj", "attn_q"),
            Map.entry("self_attn.k_proj", "attn_k"),
            Map.entry("self_attn.v_proj", "attn_v"),
            Map.entry("self_attn.o_proj", "attn_output"),
            Map.entry("self_attn.q_norm", "attn_q_norm"),
            Map.entry("self_attn.k_norm", "attn_k_norm"),
            Map.entry("mlp.gate_proj", "ffn_gate"),
            Map.entry("mlp.up_proj", "ffn_up"),
            Map.entry("mlp.down_proj", "ffn_down"),
            Map.entry("pre_feedforward_layernorm", "ffn_norm"),
            Map.entry("post_feedforward_layernorm", "post_ffw_norm"));

    @TempDir
    private Path folder;

    private static GgufFile gguf(String base, String architecture, int headDim) {
        GgufFile gguf = new GgufFile();
        gguf.fields.put("general.architecture", architecture);
        Map<String, Object> keys = Map.of(
                "block_count", 2,
                "context_length", 64,
                "embedding_length", 32,
                "feed_forward_length", 64,
                "attention.head_count", 4,
                "attention.head_count_kv", 2,
                "attention.key_length", headDim,
                "attention.layer_norm_rms_epsilon", 1e-6f);
        keys.forEach((key, value) -> gguf.fields.put(architecture + "." + key, value));
        boolean gemma = architecture.equals("gemma3");
        gguf.fields.put(architecture + ".rope.freq_base", gemma ? 1e6f : 1e4f);
        if (gemma) {
            gguf.fields.put("gemma3.attention.sliding_window", 4);
            gguf.fields.put("gemma3.attention.sliding_window_pattern", 2);
        }
        gguf.fields.put("tokenizer.ggml.eos_token_id", 2);
        TensorSource source = Safetensors.open(Fixtures.folder(base).resolve("model.safetensors"));
        for (String name : source.names()) {
            TensorData tensor = source.tensor(name);
            gguf.tensors.put(name(name, gemma), gemma && name.endsWith("norm.weight") ? plusOne(tensor) : tensor);
        }
        return gguf;
    }

    private static String name(String name, boolean gemma) {
        String other = name.replaceFirst("^model\\.embed_tokens", "token_embd")
                .replaceFirst("^model\\.norm", "output_norm")
                .replaceFirst("^lm_head", "output")
                .replaceFirst("^model\\.layers", "blk")
                .replace("post_attention_layernorm", gemma ? "post_attention_norm" : "ffn_norm");
        for (Map.Entry<String, String> part : NAMES.entrySet()) {
            other = other.replace("." + part.getKey() + ".", "." + part.getValue() + ".");
        }
        return other;
    }

    private static TensorData plusOne(TensorData tensor) {
        float[] values = tensor.floats();
        for (int i = 0; i < values.length; i++) {
            values[i] += 1;
        }
        return TensorData.of(tensor.info().name(), values, tensor.info().shape());
    }

    private Base load(GgufFile gguf) throws IOException {
        gguf.write(folder.resolve("model.gguf"));
        return Base.load(folder.resolve("model.gguf"));
    }

    @ParameterizedTest
    @CsvSource({"qwen2, qwen2, 8", "qwen3, qwen3, 12", "gemma3, gemma3, 8"})
    void logitsAreThoseOfTheHuggingFaceFolder(String name, String architecture, int headDim) throws IOException {
        Path plain = Files.createDirectory(folder.resolve("plain"));
        Base expected = Base.load(Fixtures.copy(name, plain, config -> {
            if (name.equals("gemma3")) {
                config.put("query_pre_attn_scalar", headDim);
            }
        }));
        Base base = load(gguf(name, architecture, headDim));

        assertThat(base.architecture().modelType())
                .isEqualTo(expected.architecture().modelType());
        assertThat(base.parameters().keySet()).isEqualTo(expected.parameters().keySet());
        assertThat(base.unusedTensors()).isEmpty();
        try (Scope scope = new Scope()) {
            var in = Fixtures.of(name).inputs();
            assertThat(Fixtures.difference(
                            base.logits(in, Pass.inference(Hooks.NONE)),
                            expected.logits(in, Pass.inference(Hooks.NONE))))
                    .isLessThan(1e-5);
        }
    }

    @Test
    void anotherQuantisationOfTheEmbeddingsIsNoHeadOfItsOwn() throws IOException {
        GgufFile gguf = gguf("qwen2", "qwen2", 8);
        TensorData embeddings = gguf.tensors.get("token_embd.weight");
        float[] coarse = embeddings.floats();
        for (int i = 0; i < coarse.length; i++) {
            coarse[i] = Math.round(coarse[i] * 16) / 16f;
        }
        gguf.tensors.put(
                "output.weight",
                TensorData.of("output.weight", coarse, embeddings.info().shape()));
        Base base = load(gguf);

        assertThat(base.config().bool("tie_word_embeddings")).isTrue();
        assertThat(base.parameters()).doesNotContainKey("lm_head.weight");
        assertThat(base.unusedTensors()).isEmpty();
    }

    @Test
    void softCapsAreRefusedByName() {
        GgufFile gguf = gguf("gemma3", "gemma3", 8);
        gguf.fields.put("gemma3.final_logit_softcapping", 30f);

        assertThatThrownBy(() -> load(gguf))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("final_logit_softcapping");
    }
}
