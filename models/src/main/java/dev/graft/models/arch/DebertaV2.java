package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import dev.graft.models.functions.Activation;
import java.util.Set;

/** {@link Deberta} V2, and V3 (He et al., 2023), which has the same {@code model_type}. */
public final class DebertaV2 extends DebertaFamily {
    @Override
    public String modelType() {
        return "deberta-v2";
    }

    @Override
    public String classNamePrefix() {
        return "DebertaV2";
    }

    @Override
    public Set<Task> tasks() {
        return BertFamily.TASKS;
    }

    @Override
    Deberta.Config config(Fields f) {
        int kernel = f.integer("conv_kernel_size", 0, 0);
        if (kernel > 0 && kernel % 2 == 0) {
            throw f.invalid("conv_kernel_size", "an odd number");
        }
        Deberta.Config config = config(
                f,
                false,
                new Deberta.Later(
                        Math.max(0, f.integer("position_buckets", -1)),
                        f.bool("share_att_key", false),
                        f.choice("norm_rel_ebd", "none", "none", "layer_norm").equals("layer_norm"),
                        kernel,
                        kernel == 0 ? Activation.TANH : Activation.read(f, "conv_act", "tanh")));
        same(f, "attention_head_size", config.headDim());
        same(f, "conv_groups", 1);
        return config;
    }
}
