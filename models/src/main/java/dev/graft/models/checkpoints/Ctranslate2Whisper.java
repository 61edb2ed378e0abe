package dev.graft.models.checkpoints;

import dev.graft.formats.Ctranslate2;
import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A Whisper that CTranslate2 converted, under its Hugging Face names. In its files the projections of one input form
 * one matrix, with queries, keys and values one below another. The fields of config.json are derived from shapes, from
 * the special tokens in tokenizer.json and from CTranslate2's own config.json.
 */
final class Ctranslate2Whisper implements ConvertedTensors {
    /**
     * The place of a tensor.
     *
     * @param part the index of the tensor among the parts of its variable, which are stored one below another
     */
    private record Stored(String variable, int part, int parts) {}

    private final Ctranslate2 file;
    private final Map<String, Stored> stored = new LinkedHashMap<>();

    private Ctranslate2Whisper(Ctranslate2 file) {
        this.file = file;
        for (String conv : List.of("conv1", "conv2")) {
            both("encoder." + conv, "encoder/" + conv);
        }
        put("encoder.embed_positions.weight", "encoder/position_encodings/encodings", 0, 1);
        put("decoder.embed_positions.weight", "decoder/position_encodings/encodings", 0, 1);
        put("decoder.embed_tokens.weight", "decoder/embeddings/weight", 0, 1);
        side("encoder");
        side("decoder");
    }

    static PretrainedCheckpoint open(Path model) {
        Ctranslate2 file = Ctranslate2.open(model);
        try {
            if (!file.specification().equals("WhisperSpec")) {
                throw new FormatException(
                        model, "is a " + file.specification() + ": of CTranslate2's models Whisper alone is supported");
            }
            Ctranslate2Whisper tensors = new Ctranslate2Whisper(file);
            return new PretrainedCheckpoint(
                    PretrainedCheckpoint.fields(model, tensors.config(model)),
                    tensors,
                    model.resolveSibling("tokenizer.json"));
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    private void side(String side) {
        norm(side + ".layer_norm", side + "/layer_norm");
        for (int i = 0; file.names().contains(side + "/layer_" + i + "/ffn/linear_0/weight"); i++) {
            String to = side + ".layers." + i + ".";
            String from = side + "/layer_" + i + "/";
            fused(to + "self_attn.", from + "self_attention/linear_0", "q_proj", "k_proj", "v_proj");
            both(to + "self_attn.out_proj", from + "self_attention/linear_1");
            norm(to + "self_attn_layer_norm", from + "self_attention/layer_norm");
            if (side.equals("decoder")) {
                fused(to + "encoder_attn.", from + "attention/linear_0", "q_proj");
                fused(to + "encoder_attn.", from + "attention/linear_1", "k_proj", "v_proj");
                both(to + "encoder_attn.out_proj", from + "attention/linear_2");
                norm(to + "encoder_attn_layer_norm", from + "attention/layer_norm");
            }
            both(to + "fc1", from + "ffn/linear_0");
            both(to + "fc2", from + "ffn/linear_1");
            norm(to + "final_layer_norm", from + "ffn/layer_norm");
        }
    }

    private void fused(String to, String from, String... projections) {
        for (int part = 0; part < projections.length; part++) {
            put(to + projections[part] + ".weight", from + "/weight", part, projections.length);
            // Whisper's keys have no bias; where they are fused there are zeros in its place.
            if (!projections[part].equals("k_proj")) {
                put(to + projections[part] + ".bias", from + "/bias", part, projections.length);
            }
        }
    }

    private void norm(String to, String from) {
        put(to + ".weight", from + "/gamma", 0, 1);
        put(to + ".bias", from + "/beta", 0, 1);
    }

    private void both(String to, String from) {
        put(to + ".weight", from + "/weight", 0, 1);
        put(to + ".bias", from + "/bias", 0, 1);
    }

    private void put(String name, String variable, int part, int parts) {
        TensorInfo info = file.info(variable);
        if (!info.dtype().isFloat()) {
            throw new FormatException(
                    path(),
                    info + ": quantised variables are not supported; convert the model with float16 or float32");
        }
        if (info.rank() == 0 || info.shape()[0] % parts != 0) {
            throw new FormatException(path(), info + " doesn't fall into " + parts + " equal parts");
        }
        stored.put(name, new Stored(variable, part, parts));
    }

    private ObjectNode config(Path model) {
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        long[] tokens = PretrainedCheckpoint.matrix(file, "decoder/embeddings/weight");
        config.put("model_type", "whisper");
        config.putArray("architectures").add("WhisperForConditionalGeneration");
        config.put("vocab_size", tokens[0]).put("d_model", tokens[1]);
        config.put("num_mel_bins", file.info("encoder/conv1/weight").shape()[1]);
        config.put(
                "max_source_positions", PretrainedCheckpoint.matrix(file, "encoder/position_encodings/encodings")[0]);
        config.put(
                "max_target_positions", PretrainedCheckpoint.matrix(file, "decoder/position_encodings/encodings")[0]);
        for (String side : List.of("encoder", "decoder")) {
            int layers = 0;
            while (file.names().contains(side + "/layer_" + layers + "/ffn/linear_0/weight")) {
                layers++;
            }
            if (layers == 0) {
                throw new FormatException(path(), "has no layers of an " + side);
            }
            config.put(side + "_layers", layers);
            config.put(side + "_attention_heads", (int)
                    file.tensor(side + "/num_heads").floats()[0]);
            config.put(side + "_ffn_dim", PretrainedCheckpoint.matrix(file, side + "/layer_0/ffn/linear_0/weight")[0]);
        }
        specials(config, model);
        return config;
    }

    private static void specials(ObjectNode config, Path model) {
        Map<String, Integer> ids = new LinkedHashMap<>();
        Fields tokenizer = Fields.read(model.resolveSibling("tokenizer.json"));
        for (JsonNode token : tokenizer.list("added_tokens")) {
            ids.put(token.path("content").asString(""), token.path("id").asInt(-1));
        }
        Integer end = ids.get("<|endoftext|>");
        Integer start = ids.get("<|startoftranscript|>");
        Integer timeless = ids.get("<|notimestamps|>");
        if (end == null || start == null || timeless == null) {
            throw tokenizer.invalid(
                    "added_tokens", "<|startoftranscript|>, <|notimestamps|> and <|endoftext|> among other tokens");
        }
        config.put("eos_token_id", end).put("pad_token_id", end);
        config.put("decoder_start_token_id", start).put("no_timestamps_token_id", timeless);
        Fields own = Fields.read(model.resolveSibling("config.json"));
        copy(own, "suppress_ids", config.putArray("suppress_tokens"));
        copy(own, "suppress_ids_begin", config.putArray("begin_suppress_tokens"));
        // The vocabulary of models of English alone ends one token earlier.
        if (end == start - 1 && config.get("vocab_size").intValue() > 51864) {
            ObjectNode languages = config.putObject("lang_to_id");
            Set<Integer> known = Set.copyOf(
                    own.list("lang_ids").stream().map(JsonNode::intValue).toList());
            ids.forEach((token, id) -> {
                if (known.contains(id)) {
                    languages.put(token, id);
                }
            });
            config.putObject("task_to_id").put("transcribe", ids.get("<|transcribe|>"));
        }
    }

    private static void copy(Fields from, String field, ArrayNode to) {
        if (from.has(field)) {
            from.list(field).forEach(to::add);
        }
    }

    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(stored.keySet());
    }

    @Override
    public TensorInfo info(String name) {
        Stored tensor = find(name);
        TensorInfo info = file.info(tensor.variable);
        long[] shape = info.shape();
        shape[0] /= tensor.parts;
        return new TensorInfo(name, info.dtype(), shape);
    }

    @Override
    public ByteBuffer bytes(String name) {
        Stored tensor = find(name);
        ByteBuffer whole = file.bytes(tensor.variable);
        int each = whole.remaining() / tensor.parts;
        return whole.slice(tensor.part * each, each).order(whole.order());
    }

    private Stored find(String name) {
        Stored tensor = stored.get(name);
        if (tensor == null) {
            throw new FormatException(path(), "has no tensor that is " + name + " in a Whisper");
        }
        return tensor;
    }

    @Override
    public TensorSource file() {
        return file;
    }
}
