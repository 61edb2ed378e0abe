package dev.graft.cli;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import tools.jackson.databind.node.ObjectNode;

/** A Llama of random numbers that has a tokenizer and a chat template. */
final class TinyLlama {
    static final int POSITIONS = 160;

    private TinyLlama() {}

    static Path write(Path folder) throws IOException {
        return write(folder, 16, 24);
    }

    static Path write(Path folder, int hidden, int intermediate) throws IOException {
        Path tokens = Cli.FIXTURES.resolve("tokens/splitbpe");
        Files.createDirectories(folder);
        Files.copy(tokens.resolve("tokenizer.json"), folder.resolve("tokenizer.json"));
        ObjectNode config = (ObjectNode) Json.read(tokens.resolve("tokenizer_config.json"));
        config.put(
                "chat_template",
                "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
                        + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}");
        AtomicWrite.text(folder.resolve("tokenizer_config.json"), Json.pretty(config));
        AtomicWrite.text(
                folder.resolve("config.json"),
                "{\"model_type\": \"llama\", \"architectures\": [\"LlamaForCausalLM\"], \"vocab_size\": 300, \"hidden_size\": "
                        + hidden + ", \"intermediate_size\": " + intermediate
                        + ", \"num_hidden_layers\": 1, \"num_attention_heads\": 2, "
                        + "\"num_key_value_heads\": 1, \"max_position_embeddings\": " + POSITIONS
                        + ", \"rms_norm_eps\": 1e-6, \"tie_word_embeddings\": true}");
        List<TensorData> tensors = new ArrayList<>();
        SplittableRandom random = new SplittableRandom(7);
        add(tensors, random, "model.embed_tokens.weight", 300, hidden);
        add(tensors, random, "model.layers.0.self_attn.q_proj.weight", hidden, hidden);
        add(tensors, random, "model.layers.0.self_attn.k_proj.weight", hidden / 2, hidden);
        add(tensors, random, "model.layers.0.self_attn.v_proj.weight", hidden / 2, hidden);
        add(tensors, random, "model.layers.0.self_attn.o_proj.weight", hidden, hidden);
        add(tensors, random, "model.layers.0.mlp.gate_proj.weight", intermediate, hidden);
        add(tensors, random, "model.layers.0.mlp.up_proj.weight", intermediate, hidden);
        add(tensors, random, "model.layers.0.mlp.down_proj.weight", hidden, intermediate);
        add(tensors, random, "model.layers.0.input_layernorm.weight", hidden);
        add(tensors, random, "model.layers.0.post_attention_layernorm.weight", hidden);
        add(tensors, random, "model.norm.weight", hidden);
        Safetensors.write(folder.resolve("model.safetensors"), tensors, Map.of("format", "pt"));
        return folder;
    }

    private static void add(List<TensorData> tensors, SplittableRandom random, String name, long... shape) {
        int count = 1;
        for (long size : shape) {
            count *= (int) size;
        }
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextDouble(-1, 1);
        }
        tensors.add(TensorData.of(name, values, shape));
    }
}
