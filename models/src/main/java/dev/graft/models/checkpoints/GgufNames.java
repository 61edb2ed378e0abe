package dev.graft.models.checkpoints;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.tensor.Tensors;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Tensor;

/**
 * The names of a decoder's tensors in llama.cpp, and the order of their rows. llama.cpp rotates pairs of neighbours
 * where Hugging Face rotates the two halves of a head. So the rows of Llama's query and key projections are reordered.
 */
public final class GgufNames {
    static final String EMBEDDINGS = "token_embd.weight";
    static final String HEAD = "output.weight";
    static final String ROPE_FACTORS = "rope_freqs.weight";

    private static final Pattern LAYER = Pattern.compile("model\\.layers\\.(\\d+)\\.(.+)\\.(weight|bias)");

    /** The models whose files llama.cpp reads as those of Llama, unless their configuration has unusual fields. */
    private static final Map<String, String> KINDS =
            Map.of("llama", "llama", "mistral", "llama", "qwen2", "qwen2", "qwen3", "qwen3");

    private final GgufFamily family;
    private final int heads;
    private final int keyHeads;
    private final Map<String, String> parts = new LinkedHashMap<>();

    private GgufNames(GgufFamily family, int heads, int keyHeads) {
        this.family = family;
        this.heads = heads;
        this.keyHeads = keyHeads;
        family.blocks().forEach((part, name) -> parts.put(name, part));
    }

    /**
     * Returns the names for a model.
     *
     * @throws InputException if it isn't of the Llama kind
     */
    public static GgufNames of(Fields config) {
        String type = config.string("model_type");
        String architecture = KINDS.get(type);
        if (architecture == null) {
            throw new InputException(
                    type + " can't be written as GGUF; these can: " + List.of("llama", "mistral", "qwen2", "qwen3"));
        }
        int heads = config.integer("num_attention_heads");
        return new GgufNames(
                GgufFamily.of(architecture).orElseThrow(), heads, config.integer("num_key_value_heads", heads));
    }

    /** Returns {@code general.architecture}. */
    public String architecture() {
        return family.architecture();
    }

    /**
     * Returns the name of a tensor in the file.
     *
     * @throws InputException if the file has no name for it
     */
    public String name(String tensor) {
        switch (tensor) {
            case "model.embed_tokens.weight" -> {
                return EMBEDDINGS;
            }
            case "model.norm.weight" -> {
                return "output_norm.weight";
            }
            case "lm_head.weight" -> {
                return HEAD;
            }
            default -> {
                Matcher layer = LAYER.matcher(tensor);
                String part = layer.matches() ? parts.get(layer.group(2)) : null;
                if (part == null) {
                    throw new InputException(tensor + " has no place in a GGUF file of the kind " + architecture());
                }
                return "blk." + layer.group(1) + "." + part + "." + layer.group(3);
            }
        }
    }

    /** Returns the rows of a tensor, or of the B of its LoRA, in the order of the file. */
    public Tensor ordered(String tensor, Tensor rows) {
        boolean query = tensor.contains(".self_attn.q_proj.");
        if (!family.permuted() || !query && !tensor.contains(".self_attn.k_proj.")) {
            return rows;
        }
        long groups = query ? heads : keyHeads;
        long half = rows.size(0) / groups / 2;
        return rows.reshape(groups, 2, half, -1).transpose(1, 2).contiguous().view(Tensors.shape(rows));
    }
}
