package dev.graft.models.checkpoints;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorSource;
import dev.graft.models.Base;
import dev.graft.models.Fixtures;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.Scope;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
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

    private static GgufFile gguf(String base, String architecture) {
        GgufFile gguf = new GgufFile();
        gguf.fields.put("general.architecture", architecture);
        Fields config = Fields.read(Fixtures.folder(base).resolve("config.json"));
        Map<String, String> keys = Map.of(
                "block_count", "num_hidden_layers",
                "context_length", "max_position_embeddings",
                "embedding_length", "hidden_size",
                "feed_forward_length", "intermediate_size",
                "attention.head_count", "num_attention_heads",
                "attention.head_count_kv", "num_key_value_heads");
        keys.forEach((key, field) -> gguf.fields.put(architecture + "." + key, config.integer(field)));
        gguf.fields.put(architecture + ".attention.key_length", headDim(config));
        gguf.fields.put(architecture + ".attention.layer_norm_rms_epsilon", 1e-6f);
        gguf.fields.put(architecture + ".rope.freq_base", architecture.equals("gemma3") ? 1e6f : 1e4f);
        if (architecture.equals("gemma3")) {
            gguf.fields.put("gemma3.attention.sliding_window_pattern", 2);
        }
        if (config.has("attn_logit_softcapping")) {
            gguf.fields.put(architecture + ".attention.sliding_window", config.integer("sliding_window"));
            for (String cap : List.of("attn_logit_softcapping", "final_logit_softcapping")) {
                Double value = config.numberOrNull(cap);
                if (value != null) {
                    gguf.fields.put(architecture + "." + cap, value.floatValue());
                }
            }
        }
        gguf.fields.put("tokenizer.ggml.eos_token_id", 2);
        boolean plusOne = architecture.startsWith("gemma");
        boolean fourNorms = plusOne && !architecture.equals("gemma");
        TensorSource source = Safetensors.open(Fixtures.folder(base).resolve("model.safetensors"));
        for (String name : source.names()) {
            TensorData tensor = source.tensor(name);
            gguf.tensors.put(name(name, fourNorms), plusOne && name.endsWith("norm.weight") ? plusOne(tensor) : tensor);
        }
        return gguf;
    }

    private static int headDim(Fields config) {
        return config.has("head_dim")
                ? config.integer("head_dim")
                : config.integer("hidden_size") / config.integer("num_attention_heads");
    }

    private static String name(String name, boolean fourNorms) {
        String other = name.replaceFirst("^model\\.embed_tokens", "token_embd")
                .replaceFirst("^model\\.norm", "output_norm")
                .replaceFirst("^lm_head", "output")
                .replaceFirst("^model\\.layers", "blk")
                .replace("post_attention_layernorm", fourNorms ? "post_attention_norm" : "ffn_norm");
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
    @CsvSource({"qwen2, qwen2", "qwen3, qwen3", "gemma, gemma", "gemma2, gemma2", "gemma3, gemma3", "gemma3-cap, gemma3"
    })
    void logitsAreThoseOfTheHuggingFaceFolder(String name, String architecture) throws IOException {
        Path plain = Files.createDirectory(folder.resolve("plain"));
        Base expected = Base.load(Fixtures.copy(name, plain, config -> {
            if (config.has("query_pre_attn_scalar")) {
                config.put("query_pre_attn_scalar", config.get("head_dim").intValue());
            }
        }));
        Base base = load(gguf(name, architecture));

        assertThat(base.architecture().modelType())
                .isEqualTo(expected.architecture().modelType());
        assertThat(base.parameters().keySet()).isEqualTo(expected.parameters().keySet());
        assertThat(base.unusedTensors()).isEmpty();
        try (Scope scope = new Scope()) {
            var in = Fixtures.of(name).inputs();
            assertThat(Fixtures.difference(
                            base.logits(in, ForwardPass.inference(Hooks.NONE)),
                            expected.logits(in, ForwardPass.inference(Hooks.NONE))))
                    .isLessThan(1e-5);
        }
    }

    @Test
    void anotherQuantisationOfTheEmbeddingsIsNoHeadOfItsOwn() throws IOException {
        GgufFile gguf = gguf("qwen2", "qwen2");
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

    /** Gemma 3 has none of scores, and the file may not say otherwise. */
    @Test
    void aCapThatTheFamilyLacksIsRefusedByName() {
        GgufFile gguf = gguf("gemma3", "gemma3");
        gguf.fields.put("gemma3.attn_logit_softcapping", 50f);

        assertThatThrownBy(() -> load(gguf))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("attn_logit_softcapping");
    }
}
