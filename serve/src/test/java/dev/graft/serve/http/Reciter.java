package dev.graft.serve.http;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.models.Base;
import dev.graft.models.chat.Chat;
import dev.graft.models.chat.ChatTemplate;
import dev.graft.models.chat.Message;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.models.tokenizers.Tokenizers;
import dev.graft.serve.adapters.Adapters;
import dev.graft.serve.adapters.FolderStore;
import dev.graft.serve.engine.Engine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import tools.jackson.databind.node.ObjectNode;

/**
 * A GPT-2 behind a server that answers every conversation with one text: its layers add nothing, the embedding of each position is that of
 * the token that comes next, and its chat template shows it no messages.
 */
final class Reciter implements AutoCloseable {
    /** Two calls of the function Clock behind a text. */
    static final String TWO_CALLS =
            "I see.\n<tool_call>\n{\"name\": \"Clock\", \"arguments\": {\"zone\": 12}}\n</tool_call>\n"
                    + "<tool_call>\n{\"name\": \"Clock\", \"arguments\": {\"zone\": 7}}\n</tool_call>";

    /** A call with the end of its tag in a text, and one more. */
    static final String QUOTING_CALLS =
            "<tool_call>\n{\"name\": \"Clock\", \"arguments\": {\"zone\": \"</tool_call>\"}}\n</tool_call>\n"
                    + "<tool_call>\n{\"name\": \"Clock\", \"arguments\": {\"zone\": 7}}\n</tool_call>";

    private static final int POSITIONS = 256;
    private static final int WIDTH = 64;

    private final Engine engine;
    final Server server;

    Reciter(Path folder, String text) throws IOException {
        Path tokens = Path.of("../parity/fixtures/tokens/splitbpe");
        Files.copy(tokens.resolve("tokenizer.json"), folder.resolve("tokenizer.json"));
        ObjectNode config = (ObjectNode) Json.read(tokens.resolve("tokenizer_config.json"));
        config.put(
                "chat_template",
                "{% if tools %}{% endif %}Write <tool_call>{\"name\": x, \"arguments\": y}</tool_call>.<|im_start|>");
        AtomicWrite.text(folder.resolve("tokenizer_config.json"), Json.pretty(config));
        Tokenizer tokenizer = Tokenizers.load(folder);
        Chat chat = new Chat(ChatTemplate.load(folder, tokenizer.specialTokens()), tokenizer);
        int from = chat.prompt(List.of(Message.user("any"))).length() - 1;
        int[] ids = tokenizer
                .encode(text + "<|im_end|>", EncodeOptions.DEFAULT.withAddSpecialTokens(false))
                .ids();
        write(folder, from, ids);
        Base base = Base.load("reciter", folder, Base.Options.DEFAULT);
        engine = new Engine(base, tokenizer, new Engine.Options(8, 64, 16, 1 << 20));
        Path none = Files.createDirectories(folder.resolve("adapters"));
        Adapters adapters = new Adapters(base, "reciter", new FolderStore(none), Long.MAX_VALUE);
        server = Server.forGeneration(engine, adapters, chat, new Metrics(), TinyChat.options());
    }

    private static void write(Path folder, int from, int[] ids) throws IOException {
        AtomicWrite.text(
                folder.resolve("config.json"),
                "{\"model_type\": \"gpt2\", \"architectures\": [\"GPT2LMHeadModel\"], \"vocab_size\": 300, \"n_embd\": "
                        + WIDTH + ", \"n_head\": 2, \"n_inner\": 8, \"n_layer\": 1, \"n_positions\": " + POSITIONS
                        + ", \"layer_norm_epsilon\": 1e-5, \"activation_function\": \"gelu_new\","
                        + " \"tie_word_embeddings\": true}");
        float[] words = new float[300 * WIDTH];
        SplittableRandom random = new SplittableRandom(7);
        for (int i = 0; i < words.length; i++) {
            words[i] = random.nextBoolean() ? 1 : -1;
        }
        float[] places = new float[POSITIONS * WIDTH];
        for (int i = 0; i < ids.length; i++) {
            for (int k = 0; k < WIDTH; k++) {
                places[(from + i) * WIDTH + k] = 100 * words[ids[i] * WIDTH + k];
            }
        }
        float[] ones = new float[WIDTH];
        Arrays.fill(ones, 1);
        List<TensorData> tensors = new ArrayList<>();
        tensors.add(TensorData.of("transformer.wte.weight", words, 300, WIDTH));
        tensors.add(TensorData.of("transformer.wpe.weight", places, POSITIONS, WIDTH));
        tensors.add(TensorData.of("transformer.ln_f.weight", ones, WIDTH));
        zeros(tensors, "ln_f.bias", WIDTH);
        for (String norm : List.of("h.0.ln_1", "h.0.ln_2")) {
            zeros(tensors, norm + ".weight", WIDTH);
            zeros(tensors, norm + ".bias", WIDTH);
        }
        linear(tensors, "h.0.attn.c_attn", WIDTH, 3 * WIDTH);
        linear(tensors, "h.0.attn.c_proj", WIDTH, WIDTH);
        linear(tensors, "h.0.mlp.c_fc", WIDTH, 8);
        linear(tensors, "h.0.mlp.c_proj", 8, WIDTH);
        Safetensors.write(folder.resolve("model.safetensors"), tensors, Map.of("format", "pt"));
    }

    private static void linear(List<TensorData> tensors, String name, int in, int out) {
        zeros(tensors, name + ".weight", in, out);
        zeros(tensors, name + ".bias", out);
    }

    private static void zeros(List<TensorData> tensors, String name, int... shape) {
        long[] sizes = Arrays.stream(shape).asLongStream().toArray();
        float[] values = new float[Arrays.stream(shape).reduce(1, (a, b) -> a * b)];
        tensors.add(TensorData.of("transformer." + name, values, sizes));
    }

    @Override
    public void close() {
        server.close();
        engine.close();
    }
}
