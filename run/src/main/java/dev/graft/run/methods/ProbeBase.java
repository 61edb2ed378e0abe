package dev.graft.run.methods;

import dev.graft.formats.DType;
import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.Json;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.models.Base;
import dev.graft.models.checkpoints.PretrainedCheckpoint;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/** Small models in memory, on which options of methods are tried without a model on the disk. */
final class ProbeBase {
    private ProbeBase() {}

    /** A Llama with so many layers; the hidden size is a multiple of 64, and large enough for bottlenecks of a small part of it. */
    static Base of(int layers, int hidden) {
        int heads = hidden / 64;
        String config = "{\"model_type\": \"llama\", \"architectures\": [\"LlamaForCausalLM\"], \"vocab_size\": 8, "
                + "\"hidden_size\": " + hidden + ", \"intermediate_size\": 256, \"num_hidden_layers\": " + layers
                + ", \"num_attention_heads\": " + heads + ", \"num_key_value_heads\": " + heads
                + ", \"max_position_embeddings\": 4096, \"rms_norm_eps\": 1e-6, "
                + "\"attention_bias\": true, \"mlp_bias\": true, \"tie_word_embeddings\": false}";
        Map<String, TensorInfo> tensors = new LinkedHashMap<>();
        put(tensors, "model.embed_tokens.weight", 8, hidden);
        for (int layer = 0; layer < layers; layer++) {
            String prefix = "model.layers." + layer + ".";
            for (String projection : new String[] {"q_proj", "k_proj", "v_proj", "o_proj"}) {
                linear(tensors, prefix + "self_attn." + projection, hidden, hidden);
            }
            linear(tensors, prefix + "mlp.gate_proj", 256, hidden);
            linear(tensors, prefix + "mlp.up_proj", 256, hidden);
            linear(tensors, prefix + "mlp.down_proj", hidden, 256);
            put(tensors, prefix + "input_layernorm.weight", hidden);
            put(tensors, prefix + "post_attention_layernorm.weight", hidden);
        }
        put(tensors, "model.norm.weight", hidden);
        put(tensors, "lm_head.weight", 8, hidden);
        return of(config, tensors);
    }

    /** A model with that configuration, whose tensors have those shapes. */
    static Base of(String config, Map<String, TensorInfo> tensors) {
        JsonNode json = Json.parse("a small model in memory", config);
        Path nowhere = Path.of("a small " + json.path("model_type").stringValue() + " in memory");
        Fields fields = Fields.of(nowhere.toString(), json);
        return Base.of(
                nowhere.toString(),
                new PretrainedCheckpoint(fields, new Ones(tensors, nowhere), nowhere),
                Base.Options.DEFAULT);
    }

    static void linear(Map<String, TensorInfo> tensors, String name, long out, long in) {
        put(tensors, name + ".weight", out, in);
        put(tensors, name + ".bias", out);
    }

    static void put(Map<String, TensorInfo> tensors, String name, long... shape) {
        tensors.put(name, new TensorInfo(name, DType.F32, shape));
    }

    /** Tensors whose every value is one: methods that divide by a norm need something else than zero. */
    private record Ones(Map<String, TensorInfo> tensors, Path path) implements TensorSource {
        @Override
        public Set<String> names() {
            return Collections.unmodifiableSet(tensors.keySet());
        }

        @Override
        public TensorInfo info(String name) {
            TensorInfo info = tensors.get(name);
            if (info == null) {
                throw new FormatException(path, "has no tensor " + name);
            }
            return info;
        }

        @Override
        public ByteBuffer bytes(String name) {
            TensorInfo info = info(name);
            ByteBuffer bytes =
                    ByteBuffer.allocate(Math.toIntExact(info.bytes())).order(ByteOrder.LITTLE_ENDIAN);
            while (bytes.hasRemaining()) {
                bytes.putFloat(1);
            }
            return bytes.flip();
        }

        @Override
        public Map<String, String> metadata() {
            return Map.of();
        }

        @Override
        public void close() {}
    }
}
