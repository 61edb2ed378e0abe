package dev.graft.models.checkpoints;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The conversion of a family of decoders by llama.cpp.
 *
 * @param architecture {@code general.architecture}, the prefix of the family's keys
 * @param modelType {@code model_type} of the original config.json
 * @param className the class with a vocabulary head
 * @param permuted whether the rows of queries and keys were reordered, so that pairs that are rotated together are
 *     neighbours
 * @param plusOne whether 1 was added to the weights of norms
 * @param blocks the Hugging Face names in a layer by those of the file
 */
record GgufFamily(
        String architecture,
        String modelType,
        String className,
        boolean permuted,
        boolean plusOne,
        Map<String, String> blocks) {
    private static final Map<String, String> SHARED = Map.of(
            "attn_norm", "input_layernorm",
            "attn_q", "self_attn.q_proj",
            "attn_k", "self_attn.k_proj",
            "attn_v", "self_attn.v_proj",
            "attn_output", "self_attn.o_proj",
            "ffn_norm", "post_attention_layernorm",
            "ffn_gate", "mlp.gate_proj",
            "ffn_up", "mlp.up_proj",
            "ffn_down", "mlp.down_proj");
    private static final Map<String, String> HEAD_NORMS =
            Map.of("attn_q_norm", "self_attn.q_norm", "attn_k_norm", "self_attn.k_norm");

    /** Norms before and behind the blocks. */
    private static final Map<String, String> FOUR_NORMS = Map.of(
            "post_attention_norm", "post_attention_layernorm",
            "ffn_norm", "pre_feedforward_layernorm",
            "post_ffw_norm", "post_feedforward_layernorm");

    static final List<GgufFamily> ALL = List.of(
            of("llama", "llama", "Llama", true, false, Map.of()),
            of("qwen2", "qwen2", "Qwen2", false, false, Map.of()),
            of("qwen3", "qwen3", "Qwen3", false, false, HEAD_NORMS),
            of("gemma", "gemma", "Gemma", false, true, Map.of()),
            of("gemma2", "gemma2", "Gemma2", false, true, FOUR_NORMS),
            of("gemma3", "gemma3_text", "Gemma3", false, true, HEAD_NORMS).with(FOUR_NORMS));

    private static GgufFamily of(
            String architecture,
            String modelType,
            String stem,
            boolean permuted,
            boolean plusOne,
            Map<String, String> more) {
        return new GgufFamily(architecture, modelType, stem + "ForCausalLM", permuted, plusOne, SHARED).with(more);
    }

    private GgufFamily with(Map<String, String> more) {
        Map<String, String> all = new HashMap<>(blocks);
        all.putAll(more);
        return new GgufFamily(architecture, modelType, className, permuted, plusOne, Map.copyOf(all));
    }

    static Optional<GgufFamily> of(String architecture) {
        return ALL.stream()
                .filter(family -> family.architecture.equals(architecture))
                .findFirst();
    }

    /** Returns the name of one of its keys. */
    String key(String name) {
        return architecture + "." + name;
    }
}
