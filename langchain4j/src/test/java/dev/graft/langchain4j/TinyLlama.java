package dev.graft.langchain4j;

import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.models.Base;
import dev.graft.models.chat.Chat;
import dev.graft.peft.Adapter;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.serve.adapters.Adapters;
import dev.graft.serve.adapters.FolderStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.bytedeco.pytorch.Scalar;
import tools.jackson.databind.node.ObjectNode;

/** A Llama of random numbers, called tiny, with a chat template and an adapter that changes what it says, called poet. */
record TinyLlama(Adapters adapters, Chat chat) {
    private static final Path TOKENS = Path.of("../parity/fixtures/tokens/splitbpe");

    static TinyLlama in(Path folder) throws IOException {
        Path model = write(folder.resolve("model"));
        Base base = Base.load("tiny", model, Base.Options.DEFAULT);
        Adapter poet = Adapter.create(base, new Lora(LoraConfig.DEFAULT), 1);
        poet.parameters()
                .values()
                .forEach(parameter -> parameter.value().detach().add_(new Scalar(0.3)));
        poet.save(folder.resolve("adapters/poet"));
        return new TinyLlama(
                new Adapters(base, "tiny", new FolderStore(folder.resolve("adapters"))),
                Chat.load(model, base.tokenizer()));
    }

    private static Path write(Path folder) throws IOException {
        Files.createDirectories(folder);
        Files.copy(TOKENS.resolve("tokenizer.json"), folder.resolve("tokenizer.json"));
        ObjectNode config = (ObjectNode) Json.read(TOKENS.resolve("tokenizer_config.json"));
        config.put(
                "chat_template",
                "{% if tools %}{% for t in tools %}{{ t | tojson }}{% endfor %}Write <tool_call>{\"name\": x,"
                        + " \"arguments\": y}</tool_call>.\n"
                        + "{% endif %}{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
                        + "{{ m['content'] }}<|im_end|>\n"
                        + "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
                        + "{% endif %}");
        Files.writeString(folder.resolve("tokenizer_config.json"), Json.pretty(config));
        Files.writeString(
                folder.resolve("config.json"),
                "{\"model_type\": \"llama\", \"architectures\": [\"LlamaForCausalLM\"], \"vocab_size\": 300,"
                        + " \"hidden_size\": 16, \"intermediate_size\": 24, \"num_hidden_layers\": 1,"
                        + " \"num_attention_heads\": 2, \"num_key_value_heads\": 1, \"max_position_embeddings\": 700,"
                        + " \"rms_norm_eps\": 1e-6, \"tie_word_embeddings\": true}");
        Map<String, long[]> shapes = new LinkedHashMap<>();
        String layer = "model.layers.0.";
        shapes.put("model.embed_tokens.weight", new long[] {300, 16});
        shapes.put(layer + "self_attn.q_proj.weight", new long[] {16, 16});
        shapes.put(layer + "self_attn.k_proj.weight", new long[] {8, 16});
        shapes.put(layer + "self_attn.v_proj.weight", new long[] {8, 16});
        shapes.put(layer + "self_attn.o_proj.weight", new long[] {16, 16});
        shapes.put(layer + "mlp.gate_proj.weight", new long[] {24, 16});
        shapes.put(layer + "mlp.up_proj.weight", new long[] {24, 16});
        shapes.put(layer + "mlp.down_proj.weight", new long[] {16, 24});
        shapes.put(layer + "input_layernorm.weight", new long[] {16});
        shapes.put(layer + "post_attention_layernorm.weight", new long[] {16});
        shapes.put("model.norm.weight", new long[] {16});
        SplittableRandom random = new SplittableRandom(7);
        List<TensorData> tensors = new ArrayList<>();
        shapes.forEach((name, shape) -> {
            float[] values = new float[(int) (shape[0] * (shape.length == 1 ? 1 : shape[1]))];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) random.nextDouble(-1, 1);
            }
            tensors.add(TensorData.of(name, values, shape));
        });
        Safetensors.write(folder.resolve("model.safetensors"), tensors, Map.of("format", "pt"));
        return folder;
    }
}
