package dev.graft.models.checkpoints;

import dev.graft.formats.FormatException;
import dev.graft.formats.Gguf;
import dev.graft.formats.GgufFields;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The config.json that a GGUF file of a decoder was converted from, derived from its keys and the shapes of its
 * tensors.
 */
record GgufDecoderConfig(Gguf file, GgufFamily family) {
    /**
     * The limit of the relative difference between two quantisations of a matrix. Matrices that were trained separately
     * differ by more than their whole size.
     */
    private static final double SAME = 0.5;

    ObjectNode read() {
        GgufFields fields = file.fields();
        if (integer("expert_count", 0) != 0) {
            throw new FormatException(
                    file.path(), family.key("expert_count") + " is set: mixtures of experts are not supported");
        }
        long hidden = positive("embedding_length", null);
        long heads = positive("attention.head_count", null);
        if (hidden % heads != 0 && !fields.has(family.key("attention.key_length"))) {
            throw new FormatException(
                    file.path(),
                    family.key("attention.head_count") + " is " + heads + ", expected a divisor of "
                            + family.key("embedding_length") + " " + hidden);
        }
        long keyHeads = positive("attention.head_count_kv", heads);
        long headDim = integer("attention.key_length", hidden / heads);
        requireHeadDim("attention.value_length", headDim);
        requireHeadDim("rope.dimension_count", headDim);

        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.putArray("architectures").add(family.className());
        config.put("model_type", family.modelType());
        config.put("vocab_size", PretrainedCheckpoint.matrix(file, GgufNames.EMBEDDINGS)[0]);
        config.put("hidden_size", hidden);
        config.put("num_hidden_layers", fields.integer(family.key("block_count")));
        config.put("num_attention_heads", heads);
        config.put("num_key_value_heads", keyHeads);
        config.put("head_dim", headDim);
        config.put("intermediate_size", fields.integer(family.key("feed_forward_length")));
        config.put("max_position_embeddings", fields.integer(family.key("context_length")));
        config.put("rms_norm_eps", decimal(fields.number(family.key("attention.layer_norm_rms_epsilon"))));
        config.put("tie_word_embeddings", isTied());
        ObjectNode rope = rope(headDim);
        switch (family.architecture()) {
            case "gemma3" -> gemma3(config, rope, headDim);
            case "gemma2" -> gemma2(config, rope, headDim);
            default -> {
                config.put("hidden_act", family.architecture().equals("gemma") ? "gelu_pytorch_tanh" : "silu");
                config.set("rope_parameters", rope);
            }
        }
        if (family.architecture().equals("llama")) {
            config.put("attention_bias", file.names().contains("blk.0.attn_q.bias"));
            config.put("mlp_bias", file.names().contains("blk.0.ffn_up.bias"));
        }
        endings(config);
        return config;
    }

    private void gemma2(ObjectNode config, ObjectNode rope, long headDim) {
        gemma(config, headDim, 46);
        config.put("sliding_window", positive("attention.sliding_window", 4096L));
        config.set("rope_parameters", rope);
    }

    /** Adds the fields of Gemma 3. Its layers with a window have a base of their own, which isn't in the file. */
    private void gemma3(ObjectNode config, ObjectNode rope, long headDim) {
        gemma(config, headDim, 62);
        config.put("sliding_window", positive("attention.sliding_window", null));
        config.put("sliding_window_pattern", integer("attention.sliding_window_pattern", 6));
        config.put("rope_local_base_freq", decimal(number("rope.freq_base_swa", 10_000)));
        config.set("rope_theta", rope.remove("rope_theta"));
        config.set("rope_scaling", rope);
    }

    /**
     * Adds the common fields of Gemma 2 and Gemma 3.
     *
     * @param largest the number of layers of the model with 27 billion parameters. Only that model scales its queries
     *     by the width divided by the number of heads.
     */
    private void gemma(ObjectNode config, long headDim, int largest) {
        config.put("hidden_activation", "gelu_pytorch_tanh");
        long share = config.get("hidden_size").asLong()
                / config.get("num_attention_heads").asLong();
        config.put("query_pre_attn_scalar", config.get("num_hidden_layers").asInt() == largest ? share : headDim);
        for (String cap : new String[] {"attn_logit_softcapping", "final_logit_softcapping"}) {
            if (file.fields().has(family.key(cap))) {
                config.put(cap, file.fields().number(family.key(cap)));
            }
        }
    }

    private void endings(ObjectNode config) {
        token(config, "bos", "bos_token_id");
        token(config, "padding", "pad_token_id");
        token(config, "eos", "eos_token_id");
        long endOfTurn = file.fields().integer("tokenizer.ggml.eot_token_id", -1);
        if (endOfTurn >= 0
                && config.has("eos_token_id")
                && config.get("eos_token_id").asLong() != endOfTurn) {
            long end = config.get("eos_token_id").asLong();
            config.putArray("eos_token_id").add(end).add(endOfTurn);
        }
    }

    /** Returns whether the vocabulary head has no matrix, or only another quantisation of the embeddings. */
    private boolean isTied() {
        if (!file.names().contains(GgufNames.HEAD)) {
            return true;
        }
        long[] shape = PretrainedCheckpoint.matrix(file, GgufNames.EMBEDDINGS);
        if (!Arrays.equals(shape, PretrainedCheckpoint.matrix(file, GgufNames.HEAD))) {
            return false;
        }
        int rows = (int) Math.min(shape[0], 64);
        float[] head = file.firstRows(GgufNames.HEAD, rows);
        float[] embeddings = file.firstRows(GgufNames.EMBEDDINGS, rows);
        double size = 0;
        double difference = 0;
        for (int i = 0; i < head.length; i++) {
            size += Math.pow(embeddings[i], 2);
            difference += Math.pow(head[i] - embeddings[i], 2);
        }
        return Math.sqrt(difference) < SAME * Math.sqrt(size);
    }

    private long integer(String name, long absent) {
        return file.fields().integer(family.key(name), absent);
    }

    private double number(String name, double absent) {
        return file.fields().number(family.key(name), absent);
    }

    private long positive(String name, @Nullable Long absent) {
        String key = family.key(name);
        long value = absent == null ? file.fields().integer(key) : file.fields().integer(key, absent);
        if (value < 1 || value > Integer.MAX_VALUE) {
            throw new FormatException(file.path(), key + " is " + value + ", expected a positive number of 31 bits");
        }
        return value;
    }

    private void requireHeadDim(String name, long headDim) {
        String key = family.key(name);
        long value = file.fields().integer(key, headDim);
        if (value != headDim) {
            throw new FormatException(
                    file.path(), key + " is " + value + ", only the size of a head, " + headDim + ", is supported");
        }
    }

    private void token(ObjectNode config, String role, String name) {
        long id = file.fields().integer("tokenizer.ggml." + role + "_token_id", -1);
        if (id >= 0) {
            config.put(name, id);
        }
    }

    private ObjectNode rope(long headDim) {
        double theta = decimal(number("rope.freq_base", family.architecture().equals("gemma3") ? 1e6 : 1e4));
        String type = family.key("rope.scaling.type");
        String scaling = file.fields().string(type, "none");
        ObjectNode rope = JsonNodeFactory.instance.objectNode().put("rope_theta", theta);
        if (file.names().contains(GgufNames.ROPE_FACTORS)) {
            ObjectNode llama3 = llama3(theta, headDim);
            if (llama3 == null || !scaling.equals("none")) {
                throw new FormatException(
                        file.path(), GgufNames.ROPE_FACTORS + " has factors that no known rotary scaling gives");
            }
            return llama3;
        }
        return switch (scaling) {
            case "none" -> rope.put("rope_type", "default");
            case "linear" ->
                rope.put("rope_type", "linear")
                        .put("factor", decimal(file.fields().number(family.key("rope.scaling.factor"))));
            default ->
                throw new FormatException(
                        file.path(), type + " is \"" + scaling + "\", supported are \"none\" and \"linear\"");
        };
    }

    /**
     * Returns the RoPE parameters of Llama 3.1 and later, null for other models. The file has the stretched wavelengths
     * as a tensor; the largest factor is the stretch.
     */
    private @Nullable ObjectNode llama3(double theta, long headDim) {
        float[] found = file.dequantize(GgufNames.ROPE_FACTORS);
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

    /** Returns the original decimal number of an f32: 1e-5, not 9.999999747378752e-6. */
    private static double decimal(double value) {
        return value == (float) value ? Double.parseDouble(Float.toString((float) value)) : value;
    }
}
