package dev.graft.peft;

import dev.graft.models.sites.Role;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The modules that a method adapts by {@code model_type} without explicit targets, as in PEFT ({@code utils/constants.py}). A new architecture
 * needs a row only if PEFT's choice isn't queries and values.
 */
public final class DefaultTargets {
    /** The methods with a table of their own in PEFT; several share one. */
    public enum Table {
        ADALORA,
        /** FourierFT, WaveFT and C3A. */
        FOURIERFT,
        IA3,
        /** The targets of (IA)³ whose inputs are scaled, instead of their outputs. */
        IA3_FEED_FORWARD,
        LN_TUNING,
        OSF,
        VBLORA,
        /** VeRA, PVeRA, SHiRA and FRoD. */
        VERA
    }

    private static final String PROJECTIONS = "q_proj k_proj v_proj o_proj gate_proj down_proj up_proj";
    private static final String AROUND_BLOCKS = "input_layernorm post_attention_layernorm norm";
    private static final String FOUR_NORMS =
            "input_layernorm post_attention_layernorm pre_feedforward_layernorm" + " post_feedforward_layernorm norm";

    private static final Map<String, Row> ROWS = Stream.of(
                    row("bart")
                            .with(Table.ADALORA, "q_proj k_proj v_proj out_proj fc1 fc2")
                            .with(Table.IA3, "q_proj v_proj fc2")
                            .with(Table.LN_TUNING, "self_attn_layer_norm encoder_attn_layer_norm final_layer_norm")
                            .with(Table.VBLORA, "q_proj k_proj v_proj out_proj fc1 fc2"),
                    row("bert").with(Table.IA3, "key value output.dense").with(Table.IA3_FEED_FORWARD, "output.dense"),
                    row("bloom")
                            .with(Table.LN_TUNING, "input_layernorm post_attention_layernorm ln_f")
                            .with(Table.OSF, "query_key_value dense_4h_to_h"),
                    row("deberta").with(Table.IA3, "in_proj output.dense").with(Table.IA3_FEED_FORWARD, "output.dense"),
                    row("deberta-v2")
                            .with(Table.ADALORA, "query_proj key_proj value_proj dense")
                            .with(Table.IA3, "key_proj value_proj output.dense")
                            .with(Table.IA3_FEED_FORWARD, "output.dense")
                            .with(Table.VBLORA, "query_proj key_proj value_proj dense"),
                    row("falcon")
                            .with(Table.LN_TUNING, "input_layernorm post_attention_layernorm ln_f")
                            .with(Table.OSF, "query_key_value dense_4h_to_h"),
                    row("gemma")
                            .with(Table.IA3, "q_proj v_proj down_proj")
                            .with(Table.LN_TUNING, AROUND_BLOCKS)
                            .with(Table.OSF, PROJECTIONS),
                    row("gemma2")
                            .with(Table.IA3, "q_proj v_proj down_proj")
                            .with(Table.LN_TUNING, FOUR_NORMS)
                            .with(Table.OSF, PROJECTIONS),
                    row("gemma3_text")
                            .with(Table.IA3, "q_proj v_proj down_proj")
                            .with(Table.LN_TUNING, FOUR_NORMS)
                            .with(Table.OSF, PROJECTIONS),
                    row("gpt2")
                            .with(Table.FOURIERFT, "mlp.c_proj")
                            .with(Table.IA3, "c_attn mlp.c_proj")
                            .with(Table.IA3_FEED_FORWARD, "mlp.c_proj")
                            .with(Table.LN_TUNING, "ln_1 ln_2 ln_f")
                            .with(Table.OSF, "c_attn c_proj"),
                    row("gpt_bigcode").with(Table.FOURIERFT, "mlp.c_proj").with(Table.OSF, "c_attn c_proj"),
                    row("gpt_neo").with(Table.IA3, "q_proj v_proj c_proj"),
                    row("gpt_neox").with(Table.OSF, "query_key_value dense_4h_to_h"),
                    row("gptj")
                            .with(Table.IA3, "q_proj v_proj fc_out")
                            .with(Table.LN_TUNING, "ln_1 ln_f")
                            .with(Table.OSF, "q_proj k_proj v_proj out_proj fc_in fc_out"),
                    row("llama")
                            .with(Table.IA3, "k_proj v_proj down_proj")
                            .with(Table.LN_TUNING, AROUND_BLOCKS)
                            .with(Table.OSF, PROJECTIONS),
                    row("llama4").with(Table.IA3, "q_proj v_proj down_proj").with(Table.OSF, PROJECTIONS),
                    row("mistral")
                            .with(Table.IA3, "k_proj v_proj down_proj")
                            .with(Table.LN_TUNING, AROUND_BLOCKS)
                            .with(Table.OSF, PROJECTIONS),
                    row("mixtral").with(Table.OSF, PROJECTIONS),
                    row("mt5")
                            .with(Table.ADALORA, "q k v o wi_0 wi_1 wo")
                            .with(Table.IA3, "k v wi_1")
                            .with(Table.IA3_FEED_FORWARD, "")
                            .with(Table.LN_TUNING, "layer_norm final_layer_norm")
                            .with(Table.VBLORA, "q k v o wi_0 wi_1 wo"),
                    row("nemotron_h", Role.KEY, Role.OUTPUT),
                    row("opt")
                            .with(Table.ADALORA, "q_proj k_proj v_proj out_proj fc1 fc2")
                            .with(Table.IA3, "q_proj k_proj fc2")
                            .with(Table.OSF, "q_proj k_proj v_proj out_proj fc1 fc2")
                            .with(Table.VBLORA, "q_proj k_proj v_proj out_proj fc1 fc2"),
                    row("phi", Role.UP, Role.DOWN)
                            .with(Table.IA3, "q_proj v_proj fc2")
                            .with(Table.LN_TUNING, "input_layernorm final_layernorm")
                            .with(Table.OSF, PROJECTIONS)
                            .with(Table.VERA, "q_proj v_proj"),
                    row("qwen2")
                            .with(Table.IA3, "q_proj v_proj down_proj")
                            .with(Table.LN_TUNING, "post_attention_layernorm")
                            .with(Table.OSF, PROJECTIONS),
                    row("qwen3")
                            .with(Table.IA3, "q_proj v_proj down_proj")
                            .with(Table.LN_TUNING, "post_attention_layernorm")
                            .with(Table.OSF, PROJECTIONS),
                    row("roberta")
                            .with(Table.ADALORA, "query key value dense")
                            .with(Table.IA3, "key value output.dense")
                            .with(Table.IA3_FEED_FORWARD, "output.dense"),
                    row("rwkv", Role.KEY, Role.OUTPUT, Role.UP, Role.GATE, Role.DOWN),
                    row("t5")
                            .with(Table.ADALORA, "q k v o wi wo")
                            .with(Table.LN_TUNING, "layer_norm final_layer_norm")
                            .with(Table.VBLORA, "q k v o wi wo"))
            .collect(Collectors.toUnmodifiableMap(Row::modelType, Function.identity()));

    private DefaultTargets() {}

    /** Returns names or ends of names of the modules, or null where the table doesn't have the model type. */
    public static @Nullable List<String> names(Table table, String modelType) {
        Row row = ROWS.get(modelType);
        return row == null ? null : row.names.get(table);
    }

    /** Returns the roles of the layers that LoRA adapts beside queries and values. */
    static Set<Role> extraRoles(String modelType) {
        Row row = ROWS.get(modelType);
        return row == null ? Set.of() : row.extraRoles;
    }

    private static Row row(String modelType, Role... extraRoles) {
        return new Row(modelType, Set.of(extraRoles), Map.of());
    }

    private record Row(String modelType, Set<Role> extraRoles, Map<Table, List<String>> names) {
        Row with(Table table, String modules) {
            Map<Table, List<String>> more = new EnumMap<>(Table.class);
            more.putAll(names);
            more.put(table, modules.isEmpty() ? List.of() : List.of(modules.split(" ")));
            return new Row(modelType, extraRoles, more);
        }
    }
}
