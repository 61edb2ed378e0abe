package dev.graft.models.checkpoints;

import dev.graft.formats.DType;
import dev.graft.formats.Fields;
import dev.graft.formats.GgufWriter;
import dev.graft.formats.InputException;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorInfo;
import dev.graft.models.tokenizers.Tokenizers;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;

/**
 * Exports a decoder of the Llama kind as the GGUF file that llama.cpp converts it to ({@code convert_hf_to_gguf.py}).
 */
public final class GgufExport {
    private GgufExport() {}

    /**
     * Writes the file.
     *
     * @param config the fields of config.json
     * @param tensors the tensors by their Hugging Face names; a tied head is omitted
     * @param tokenizer the folder or GGUF file of the tokenizer
     * @param dtype the type of the matrices, F32, F16 or BF16; norms and biases are F32
     * @throws InputException if the model is of another kind, or has a feature that the format does not support
     */
    public static void write(
            String name, Fields config, Map<String, Tensor> tensors, Path tokenizer, Path file, DType dtype) {
        GgufNames names = GgufNames.of(config);
        Map<String, Object> fields = fields(name, config, names, dtype);
        int vocabulary = Math.toIntExact(
                Objects.requireNonNull(tensors.get("model.embed_tokens.weight")).size(0));
        fields.putAll(Tokenizers.ggufFields(tokenizer, vocabulary));
        List<TensorData> written = new ArrayList<>();
        try (Scope scope = new Scope()) {
            float[] factors = ropeFactors(config, rope(config));
            if (factors != null) {
                written.add(TensorData.of(GgufNames.ROPE_FACTORS, factors, factors.length));
            }
            tensors.forEach((tensor, value) -> {
                ScalarType type = value.dim() < 2 || dtype == DType.F32
                        ? ScalarType.Float
                        : dtype == DType.F16 ? ScalarType.Half : ScalarType.BFloat16;
                Tensor ordered =
                        Ops.to(names.ordered(tensor, value.detach()), type).contiguous();
                written.add(new TensorData(
                        new TensorInfo(names.name(tensor), TensorConversion.dtype(ordered), Tensors.shape(ordered)),
                        Tensors.bytes(ordered)));
            });
        }
        GgufWriter.write(file, fields, written);
    }

    private static Map<String, Object> fields(String name, Fields config, GgufNames names, DType dtype) {
        String activation = config.string("hidden_act", "silu");
        if (!activation.equals("silu")) {
            throw config.invalid("hidden_act", "silu, which is what llama.cpp computes for such a model");
        }
        if (config.bool("use_sliding_window", config.string("model_type").equals("mistral"))
                && config.integerOrNull("sliding_window") != null) {
            throw config.invalid("sliding_window", "null: llama.cpp reads such a file without a window");
        }
        int heads = config.integer("num_attention_heads");
        int hidden = config.integer("hidden_size");
        Integer given = config.integerOrNull("head_dim");
        int headDim = given == null ? hidden / heads : given;
        String key = names.architecture() + ".";
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("general.architecture", names.architecture());
        fields.put("general.type", "model");
        fields.put("general.name", name);
        fields.put("general.file_type", dtype == DType.F32 ? 0 : dtype == DType.F16 ? 1 : 32);
        fields.put(key + "block_count", config.integer("num_hidden_layers"));
        fields.put(key + "context_length", config.integer("max_position_embeddings"));
        fields.put(key + "embedding_length", hidden);
        fields.put(key + "feed_forward_length", config.integer("intermediate_size"));
        fields.put(key + "attention.head_count", heads);
        fields.put(key + "attention.head_count_kv", config.integer("num_key_value_heads", heads));
        fields.put(key + "attention.key_length", headDim);
        fields.put(key + "attention.value_length", headDim);
        fields.put(key + "attention.layer_norm_rms_epsilon", (float) config.number("rms_norm_eps"));
        fields.put(key + "rope.dimension_count", headDim);
        fields.put(key + "vocab_size", config.integer("vocab_size"));
        Fields rope = rope(config);
        double theta = rope.has("rope_theta") ? rope.number("rope_theta") : config.number("rope_theta", 10_000);
        fields.put(key + "rope.freq_base", (float) theta);
        switch (kind(rope)) {
            case "default", "llama3" -> {}
            case "linear" -> {
                fields.put(key + "rope.scaling.type", "linear");
                fields.put(key + "rope.scaling.factor", (float) rope.number("factor"));
            }
            default -> throw rope.invalid("rope_type", "default, linear or llama3, which a GGUF file can say");
        }
        return fields;
    }

    private static Fields rope(Fields config) {
        for (String field : new String[] {"rope_parameters", "rope_scaling"}) {
            Fields rope = config.objectOrNull(field);
            if (rope != null) {
                return rope;
            }
        }
        return Fields.of(config.source(), JsonNodeFactory.instance.objectNode());
    }

    private static String kind(Fields rope) {
        return rope.string(rope.has("rope_type") ? "rope_type" : "type", "default");
    }

    /**
     * Returns the ratios of Llama 3.1's wavelengths to those of the base, one for each pair of a head's values; null
     * for other models.
     */
    private static float @Nullable [] ropeFactors(Fields config, Fields rope) {
        if (!kind(rope).equals("llama3")) {
            return null;
        }
        int heads = config.integer("num_attention_heads");
        Integer given = config.integerOrNull("head_dim");
        int headDim = given == null ? config.integer("hidden_size") / heads : given;
        double theta = rope.has("rope_theta") ? rope.number("rope_theta") : config.number("rope_theta", 10_000);
        double factor = rope.number("factor");
        double low = rope.number("low_freq_factor");
        double high = rope.number("high_freq_factor");
        double context = rope.number("original_max_position_embeddings");
        if (low != 1 || high != 4 || context != 8192) {
            throw rope.invalid(
                    "original_max_position_embeddings",
                    "8192, with low_freq_factor 1 and high_freq_factor 4: a GGUF file doesn't say them, so it is read"
                            + " as if they were");
        }
        float[] factors = new float[headDim / 2];
        for (int i = 0; i < factors.length; i++) {
            double wavelength = 2 * Math.PI * Math.pow(theta, 2.0 * i / headDim);
            double smooth = Math.min(1, Math.max(0, (context / wavelength - low) / (high - low)));
            factors[i] = (float) (1 / ((1 - smooth) / factor + smooth));
        }
        return factors;
    }
}
