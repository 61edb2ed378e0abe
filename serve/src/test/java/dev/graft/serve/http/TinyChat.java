package dev.graft.serve.http;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.models.Base;
import dev.graft.models.chat.Chat;
import dev.graft.models.chat.ChatTemplate;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.peft.Adapter;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.scaling.Ia3;
import dev.graft.serve.adapters.AdapterStore;
import dev.graft.serve.adapters.Adapters;
import dev.graft.serve.adapters.FolderStore;
import dev.graft.serve.engine.Engine;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/** A Llama of random numbers with a tokenizer, a chat template and adapters that change what it says, behind a server. */
final class TinyChat implements AutoCloseable {
    static final int POSITIONS = 1024;

    final Path adapterFolder;
    final Base base;
    final Engine engine;
    final Adapters adapters;
    final Server server;

    TinyChat(Path folder, Engine.Options engineOptions, ServerOptions options) throws IOException {
        this(folder, engineOptions, options, FolderStore::new, Long.MAX_VALUE);
    }

    /**
     * Another store.
     *
     * @param store what serves the adapters, made of the folder where {@link #lora} saves them
     * @param budget the bytes that adapters may take
     */
    TinyChat(
            Path folder,
            Engine.Options engineOptions,
            ServerOptions options,
            Function<Path, AdapterStore> store,
            long budget)
            throws IOException {
        Path model = write(folder.resolve("model"));
        base = Base.load("tiny", model, Base.Options.DEFAULT);
        adapterFolder = Files.createDirectories(folder.resolve("adapters"));
        lora("poet", 1);
        lora("clerk", 2);
        Adapter.create(base, Ia3.DEFAULT, 3).save(adapterFolder.resolve("scaled"));
        Tokenizer tokenizer = base.tokenizer();
        Chat chat = new Chat(ChatTemplate.load(model, tokenizer.specialTokens()), tokenizer);
        Metrics metrics = new Metrics();
        engine = new Engine(base, tokenizer, engineOptions, metrics);
        adapters = new Adapters(base, "tiny", store.apply(adapterFolder), budget);
        server = Server.forGeneration(engine, adapters, chat, metrics, options);
    }

    static ServerOptions options() {
        return ServerOptions.DEFAULT.withPort(0).withConnections(64);
    }

    /** An adapter whose B isn't zero. */
    void lora(String name, long seed) {
        lora(name, LoraConfig.DEFAULT, seed);
    }

    void lora(String name, LoraConfig config, long seed) {
        Adapter adapter = Adapter.create(base, new Lora(config), seed);
        adapter.parameters().forEach((key, parameter) -> {
            if (key.contains("lora_B")) {
                Tensor value = parameter.value();
                float[] numbers = new float[(int) value.numel()];
                Rng random = Rng.of(seed, key);
                for (int i = 0; i < numbers.length; i++) {
                    numbers[i] = (float) (2 * random.nextDouble() - 1);
                }
                value.detach().copy_(Tensors.of(numbers, Tensors.shape(value)));
            }
        });
        adapter.save(adapterFolder.resolve(name));
    }

    @Override
    public void close() {
        server.close();
        engine.close();
    }

    private static Path write(Path folder) throws IOException {
        Path tokens = Path.of("../parity/fixtures/tokens/splitbpe");
        Files.createDirectories(folder);
        Files.copy(tokens.resolve("tokenizer.json"), folder.resolve("tokenizer.json"));
        ObjectNode config = (ObjectNode) Json.read(tokens.resolve("tokenizer_config.json"));
        config.put(
                "chat_template",
                "{% if tools %}<|im_start|>system\n"
                        + "{% for t in tools %}{{ t | tojson }}{% endfor %}Write <tool_call>{\"name\": x, \"arguments\":"
                        + " y}</tool_call>.<|im_end|>\n"
                        + "{% endif %}{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
                        + "{{ m['content'] }}{% for c in m.tool_calls or [] %}{{ c.function.name }} {{"
                        + " c.function.arguments.city }}{% endfor %}<|im_end|>\n"
                        + "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
                        + "{% endif %}");
        AtomicWrite.text(folder.resolve("tokenizer_config.json"), Json.pretty(config));
        AtomicWrite.text(
                folder.resolve("config.json"),
                "{\"model_type\": \"llama\", \"architectures\": [\"LlamaForCausalLM\"], \"vocab_size\": 300,"
                        + " \"hidden_size\": 16, \"intermediate_size\": 24, \"num_hidden_layers\": 1,"
                        + " \"num_attention_heads\": 2, \"num_key_value_heads\": 1, \"max_position_embeddings\": "
                        + POSITIONS + ", \"rms_norm_eps\": 1e-6, \"tie_word_embeddings\": true}");
        List<TensorData> tensors = new ArrayList<>();
        SplittableRandom random = new SplittableRandom(7);
        add(tensors, random, "model.embed_tokens.weight", 300, 16);
        String layer = "model.layers.0.";
        add(tensors, random, layer + "self_attn.q_proj.weight", 16, 16);
        add(tensors, random, layer + "self_attn.k_proj.weight", 8, 16);
        add(tensors, random, layer + "self_attn.v_proj.weight", 8, 16);
        add(tensors, random, layer + "self_attn.o_proj.weight", 16, 16);
        add(tensors, random, layer + "mlp.gate_proj.weight", 24, 16);
        add(tensors, random, layer + "mlp.up_proj.weight", 24, 16);
        add(tensors, random, layer + "mlp.down_proj.weight", 16, 24);
        add(tensors, random, layer + "input_layernorm.weight", 16);
        add(tensors, random, layer + "post_attention_layernorm.weight", 16);
        add(tensors, random, "model.norm.weight", 16);
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
