package dev.graft.peft;

import dev.graft.formats.DType;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorInfo;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.pytorch.Tensor;

/** The tiny bases that methods are tested on, each loaded once, and a batch with padding on both sides for them. */
public final class Bases {
    /** Where the fixtures of all modules are. */
    public static final Path FIXTURES = Path.of("../parity/fixtures");

    /** An encoder that classifies sequences. */
    public static final String BERT = "bert-seqcls";

    /** A decoder with grouped queries and a head of its own. */
    public static final String LLAMA = "llama-gqa";

    /** A decoder whose head is its embedding. */
    public static final String TIED = "llama-mha";

    /** A decoder with fused queries, keys and values, whose checkpoint holds matrices as {@code [in, out]}. */
    public static final String GPT2 = "gpt2";

    /** {@link #LLAMA} with biases in its attention. */
    public static final String BIASED = "llama-biased";

    /** {@link #LLAMA} with a tokenizer whose words are the numbers of its tokens. */
    public static final String NUMBERS = "llama-numbers";

    private static final Map<String, Base> LOADED = new ConcurrentHashMap<>();

    private Bases() {}

    /** An adapter whose every parameter is drawn. */
    static Adapter trained(Base base, Method method) {
        Adapter adapter = Adapter.create(base, method, 1);
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable()
                    .forEach((key, value) -> value.add_(Rng.of(2, key).normal(0, 0.3, Tensors.shape(value))));
        }
        return adapter;
    }

    public static Base load(String name) {
        return load(name, Numerics.FP32);
    }

    public static Base load(String name, Numerics numerics) {
        return LOADED.computeIfAbsent(
                name + numerics, key -> Base.load(name, folder(name), Base.Options.DEFAULT.withNumerics(numerics)));
    }

    private static Path folder(String name) {
        return switch (name) {
            case BIASED -> biased();
            case NUMBERS -> numbers();
            default -> FIXTURES.resolve("bases/" + name);
        };
    }

    private static Path numbers() {
        Path from = FIXTURES.resolve("bases/" + LLAMA);
        Path to = Path.of("target/bases/" + NUMBERS);
        StringBuilder words = new StringBuilder();
        for (int i = 0; i < 64; i++) {
            words.append(i == 0 ? "" : ",")
                    .append('"')
                    .append(i == 0 ? "[UNK]" : i)
                    .append("\":")
                    .append(i);
        }
        try {
            Files.createDirectories(to);
            for (String file : List.of("config.json", "model.safetensors")) {
                Files.copy(from.resolve(file), to.resolve(file), StandardCopyOption.REPLACE_EXISTING);
            }
            Files.writeString(
                    to.resolve("tokenizer.json"),
                    "{\"version\":\"1.0\",\"added_tokens\":[],\"normalizer\":null,\"post_processor\":null,"
                            + "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"decoder\":{\"type\":\"WordPiece\","
                            + "\"prefix\":\"##\",\"cleanup\":true},\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\","
                            + "\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,\"vocab\":{"
                            + words
                            + "}}}");
            return to;
        } catch (IOException failed) {
            throw new UncheckedIOException(failed);
        }
    }

    private static Path biased() {
        Path from = FIXTURES.resolve("bases/" + LLAMA);
        Path to = Path.of("target/bases/" + BIASED);
        List<TensorData> tensors = new ArrayList<>();
        try (Safetensors weights = Safetensors.open(from.resolve("model.safetensors"))) {
            for (String name : weights.names()) {
                TensorData tensor = weights.tensor(name);
                tensors.add(tensor);
                if (name.contains("self_attn")) {
                    String bias = name.replace(".weight", ".bias");
                    Tensor values = Rng.of(1, bias).normal(0, 0.3, tensor.info().shape()[0]);
                    tensors.add(new TensorData(
                            new TensorInfo(bias, DType.F32, Tensors.shape(values)), Tensors.bytes(values)));
                }
            }
            Files.createDirectories(to);
            Safetensors.write(to.resolve("model.safetensors"), tensors, Map.of());
            String config = Files.readString(from.resolve("config.json"));
            Files.writeString(
                    to.resolve("config.json"), config.replace("\"attention_bias\": false", "\"attention_bias\": true"));
            return to;
        } catch (IOException failed) {
            throw new UncheckedIOException(failed);
        }
    }

    /** A bare encoder. */
    public static Base headless() {
        return LOADED.computeIfAbsent(
                "headless",
                key -> Base.load(
                        "headless", FIXTURES.resolve("bases/" + BERT), Base.Options.of(Task.FEATURE_EXTRACTION)));
    }

    /** Five rows of seven positions: whole, padded right, padded left, short, whole. */
    public static Inputs batch() {
        long[] ids = new long[5 * 7];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = 3 + (i * 17L + i * i * 5L) % 58;
        }
        long[][] mask = {
            {1, 1, 1, 1, 1, 1, 1},
            {1, 1, 1, 1, 1, 0, 0},
            {0, 0, 0, 1, 1, 1, 1},
            {1, 1, 0, 0, 0, 0, 0},
            {1, 1, 1, 1, 1, 1, 1}
        };
        return Inputs.of(Tensors.of(ids, 5, 7), Tensors.of(mask));
    }

    /** The largest difference where the mask is 1; a mask is left out for outputs that have no positions. */
    public static double difference(Tensor a, Tensor b, Tensor mask) {
        Tensor difference = a.detach().sub(b.detach()).abs();
        if (difference.dim() == 3) {
            difference = difference.mul(mask.unsqueeze(-1));
        }
        return Tensors.item(difference.amax());
    }

    /** The tokens that whole passes give, one after the other. */
    public static int[] greedy(Base base, Selection selection, int[] prompt, int count) {
        List<Integer> ids = new ArrayList<>(Arrays.stream(prompt).boxed().toList());
        for (int i = 0; i < count; i++) {
            Tensor logits = base.logits(
                    Inputs.of(new long[][] {ids.stream().mapToLong(id -> id).toArray()}),
                    ForwardPass.inference(selection.hooks()));
            ids.add((int) Tensors.item(logits.select(1, ids.size() - 1).argmax()));
        }
        return ids.stream().skip(prompt.length).mapToInt(id -> id).toArray();
    }
}
