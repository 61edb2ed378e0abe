package dev.graft.models.checkpoints;

import dev.graft.formats.FormatException;
import dev.graft.formats.GgmlType;
import dev.graft.formats.Gguf;
import dev.graft.formats.GgufFields;
import dev.graft.formats.TensorInfo;
import dev.graft.models.matrices.GgmlMatrix;
import dev.graft.models.matrices.Quantized;
import dev.graft.tensor.Tensors;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A GGUF file of the architecture {@code llama} under its Hugging Face names, quantised tensors decoded as they are read.
 *
 * <p>llama.cpp turns pairs of neighbouring rows where Hugging Face turns the two halves of a head, so its converter reorders the rows
 * of the query and key projections ({@code LlamaModel.permute} of {@code convert_hf_to_gguf.py}); here they are put back.
 */
final class GgufLlama implements QuantizedTensors {
    private static final Pattern BLOCK = Pattern.compile("blk\\.(\\d+)\\.(\\w+)\\.(weight|bias)");
    private static final Map<String, String> BLOCK_NAMES = Map.of(
            "attn_norm", "input_layernorm",
            "attn_q", "self_attn.q_proj",
            "attn_k", "self_attn.k_proj",
            "attn_v", "self_attn.v_proj",
            "attn_output", "self_attn.o_proj",
            "ffn_norm", "post_attention_layernorm",
            "ffn_gate", "mlp.gate_proj",
            "ffn_up", "mlp.up_proj",
            "ffn_down", "mlp.down_proj");
    private static final Map<String, String> OTHER_NAMES = Map.of(
            "token_embd.weight", "model.embed_tokens.weight",
            "output_norm.weight", "model.norm.weight",
            "output.weight", "lm_head.weight");
    private static final String ROPE_FACTORS = "rope_freqs.weight";

    /**
     * Where a tensor is.
     *
     * @param heads how many heads its rows were reordered in, 0 where they are in place
     */
    private record Stored(String name, int heads) {}

    private final Gguf file;
    private final Map<String, Stored> stored = new LinkedHashMap<>();

    private GgufLlama(Gguf file, int heads, int keyHeads) {
        this.file = file;
        for (String name : file.names()) {
            Matcher block = BLOCK.matcher(name);
            if (OTHER_NAMES.containsKey(name)) {
                stored.put(OTHER_NAMES.get(name), new Stored(name, 0));
            } else if (block.matches() && BLOCK_NAMES.containsKey(block.group(2))) {
                String part = block.group(2);
                stored.put(
                        "model.layers." + block.group(1) + "." + BLOCK_NAMES.get(part) + "." + block.group(3),
                        new Stored(name, part.equals("attn_q") ? heads : part.equals("attn_k") ? keyHeads : 0));
            } else if (!name.equals(ROPE_FACTORS)) {
                throw new FormatException(
                        file.path(), "tensor " + name + " has no place in a Llama; this variant is not supported");
            }
        }
    }

    static Checkpoint open(Path path) {
        Gguf file = Gguf.open(path);
        try {
            GgufFields fields = file.fields();
            String architecture = fields.string("general.architecture");
            if (!architecture.equals("llama")) {
                throw new FormatException(
                        path,
                        "general.architecture is \"" + architecture + "\", of GGUF files only \"llama\" is supported");
            }
            ObjectNode config = config(file);
            GgufLlama tensors = new GgufLlama(
                    file,
                    config.get("num_attention_heads").asInt(),
                    config.get("num_key_value_heads").asInt());
            return new Checkpoint(Checkpoint.fields(path, config), tensors, path);
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    private static ObjectNode config(Gguf file) {
        GgufFields fields = file.fields();
        if (fields.integer("llama.expert_count", 0) != 0) {
            throw new FormatException(file.path(), "llama.expert_count is set: mixtures of experts are not supported");
        }
        long hidden = positive(file, "llama.embedding_length", null);
        long heads = positive(file, "llama.attention.head_count", null);
        if (hidden % heads != 0 && !fields.has("llama.attention.key_length")) {
            throw new FormatException(
                    file.path(),
                    "llama.attention.head_count is " + heads + ", expected a divisor of llama.embedding_length "
                            + hidden);
        }
        long keyHeads = positive(file, "llama.attention.head_count_kv", heads);
        long headDim = fields.integer("llama.attention.key_length", hidden / heads);
        requireHeadDim(file, "llama.attention.value_length", headDim);
        requireHeadDim(file, "llama.rope.dimension_count", headDim);

        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.putArray("architectures").add("LlamaForCausalLM");
        config.put("model_type", "llama");
        config.put("vocab_size", Checkpoint.matrix(file, "token_embd.weight")[0]);
        config.put("hidden_size", hidden);
        config.put("num_hidden_layers", fields.integer("llama.block_count"));
        config.put("num_attention_heads", heads);
        config.put("num_key_value_heads", keyHeads);
        config.put("head_dim", headDim);
        config.put("intermediate_size", fields.integer("llama.feed_forward_length"));
        config.put("max_position_embeddings", fields.integer("llama.context_length"));
        config.put("rms_norm_eps", decimal(fields.number("llama.attention.layer_norm_rms_epsilon")));
        config.put("hidden_act", "silu");
        config.put("attention_bias", file.names().contains("blk.0.attn_q.bias"));
        config.put("mlp_bias", file.names().contains("blk.0.ffn_up.bias"));
        config.put("tie_word_embeddings", !file.names().contains("output.weight"));
        config.set("rope_parameters", rope(file, headDim));
        token(fields, config, "bos", "bos_token_id");
        token(fields, config, "padding", "pad_token_id");
        token(fields, config, "eos", "eos_token_id");
        long endOfTurn = fields.integer("tokenizer.ggml.eot_token_id", -1);
        if (endOfTurn >= 0
                && config.has("eos_token_id")
                && config.get("eos_token_id").asLong() != endOfTurn) {
            long end = config.get("eos_token_id").asLong();
            config.putArray("eos_token_id").add(end).add(endOfTurn);
        }
        return config;
    }

    private static long positive(Gguf file, String key, @Nullable Long absent) {
        long value = absent == null ? file.fields().integer(key) : file.fields().integer(key, absent);
        if (value < 1 || value > Integer.MAX_VALUE) {
            throw new FormatException(file.path(), key + " is " + value + ", expected a positive number of 31 bits");
        }
        return value;
    }

    private static void requireHeadDim(Gguf file, String key, long headDim) {
        long value = file.fields().integer(key, headDim);
        if (value != headDim) {
            throw new FormatException(
                    file.path(), key + " is " + value + ", only the size of a head, " + headDim + ", is supported");
        }
    }

    private static void token(GgufFields fields, ObjectNode config, String role, String name) {
        long id = fields.integer("tokenizer.ggml." + role + "_token_id", -1);
        if (id >= 0) {
            config.put(name, id);
        }
    }

    private static ObjectNode rope(Gguf file, long headDim) {
        GgufFields fields = file.fields();
        double theta = decimal(fields.number("llama.rope.freq_base", 10000.0));
        String scaling = fields.string("llama.rope.scaling.type", "none");
        ObjectNode rope = JsonNodeFactory.instance.objectNode().put("rope_theta", theta);
        if (file.names().contains(ROPE_FACTORS)) {
            ObjectNode llama3 = llama3(file, theta, headDim);
            if (llama3 == null || !scaling.equals("none")) {
                throw new FormatException(
                        file.path(), ROPE_FACTORS + " has factors that no known rotary scaling gives");
            }
            return llama3;
        }
        return switch (scaling) {
            case "none" -> rope.put("rope_type", "default");
            case "linear" ->
                rope.put("rope_type", "linear").put("factor", decimal(fields.number("llama.rope.scaling.factor")));
            default ->
                throw new FormatException(
                        file.path(),
                        "llama.rope.scaling.type is \"" + scaling + "\", supported are \"none\" and \"linear\"");
        };
    }

    /** Llama 3.1 and later hand the stretched wavelengths over as a tensor; the largest factor is the stretch. */
    private static @Nullable ObjectNode llama3(Gguf file, double theta, long headDim) {
        float[] found = file.dequantize(ROPE_FACTORS);
        double factor = 1;
        for (float value : found) {
            factor = Math.max(factor, value);
        }
        double context = 8192;
        for (int i = 0; i < found.length; i++) {
            double wavelength = 2 * Math.PI * Math.pow(theta, 2.0 * i / headDim);
            double smooth = Math.min(1, Math.max(0, (context / wavelength - 1) / (4 - 1)));
            double expected = 1 / ((1 - smooth) / factor + smooth);
            if (Math.abs(found[i] - expected) > 1e-4 * expected) {
                return null;
            }
        }
        return JsonNodeFactory.instance
                .objectNode()
                .put("rope_theta", theta)
                .put("rope_type", "llama3")
                .put("factor", factor)
                .put("low_freq_factor", 1.0)
                .put("high_freq_factor", 4.0)
                .put("original_max_position_embeddings", (int) context);
    }

    /** The decimal number that was meant by an f32: 1e-5, not 9.999999747378752e-6. */
    private static double decimal(double value) {
        return value == (float) value ? Double.parseDouble(Float.toString((float) value)) : value;
    }

    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(stored.keySet());
    }

    @Override
    public TensorInfo info(String name) {
        TensorInfo info = file.info(find(name).name);
        return new TensorInfo(name, info.dtype(), info.shape());
    }

    @Override
    public ByteBuffer bytes(String name) {
        Stored tensor = find(name);
        if (tensor.heads == 0) {
            return file.bytes(tensor.name);
        }
        ByteBuffer ordered =
                ByteBuffer.allocateDirect(Math.toIntExact(info(name).bytes()));
        read(name, ordered);
        return ordered.flip().asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    @Override
    public void read(String name, ByteBuffer into) {
        Stored tensor = find(name);
        if (tensor.heads == 0) {
            file.read(tensor.name, into);
            return;
        }
        inOrder(tensor, file.bytes(tensor.name), into);
    }

    @Override
    public @Nullable Quantized quantized(String name, ScalarType type) {
        Stored tensor = find(name);
        GgmlType kind = file.type(tensor.name);
        long[] shape = file.info(tensor.name).shape();
        if (shape.length != 2 || !kind.isDecodable()) {
            return null;
        }
        ByteBuffer raw = file.raw(tensor.name);
        ByteBuffer ordered = raw;
        if (tensor.heads > 0) {
            ordered = ByteBuffer.allocate(raw.remaining());
            inOrder(tensor, raw, ordered);
            ordered.flip();
        }
        long bytes = ordered.remaining();
        return new GgmlMatrix(kind, shape[0], shape[1], type, Tensors.of(ordered, ScalarType.Byte, bytes));
    }

    /** Copies rows to where Hugging Face has them. */
    private void inOrder(Stored tensor, ByteBuffer permuted, ByteBuffer into) {
        TensorInfo info = file.info(tensor.name);
        int rows = info.rank() == 0 ? 0 : Math.toIntExact(info.shape()[0]);
        if (rows == 0 || rows % (2L * tensor.heads) != 0) {
            throw new FormatException(
                    path(), info + ": its rows can't be split into " + tensor.heads + " heads of even size");
        }
        int half = rows / tensor.heads / 2;
        int size = permuted.remaining() / rows;
        for (int row = 0; row < rows; row++) {
            int head = row / (2 * half);
            int part = row / half % 2;
            int pair = row % half;
            into.put(permuted.slice((head * 2 * half + 2 * pair + part) * size, size));
        }
    }

    private Stored find(String name) {
        Stored tensor = stored.get(name);
        if (tensor == null) {
            throw new FormatException(path(), "has no tensor that is " + name + " in a Llama");
        }
        return tensor;
    }

    @Override
    public Map<String, String> metadata() {
        return file.metadata();
    }

    @Override
    public Path path() {
        return file.path();
    }

    @Override
    public void close() {
        file.close();
    }
}
