package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import java.util.EnumSet;
import java.util.Set;

/**
 * CodeGen (Nijkamp et al., 2022): GPT-J with one layer for queries, values and keys. The layer has the heads in four
 * groups, one after another, as four machines trained them.
 */
public final class CodeGen extends PreNormFamily {
    private static final PreNormDecoder.Fused FUSED = new PreNormDecoder.Fused("qkv_proj", new QkvLayout(4, true));

    /** Reads {@code model_type: codegen}. */
    public CodeGen() {
        super("codegen", "CodeGen", "transformer.");
    }

    @Override
    boolean biased() {
        return true;
    }

    @Override
    public Set<Task> tasks() {
        return EnumSet.of(Task.FEATURE_EXTRACTION, Task.CAUSAL_LM);
    }

    @Override
    PreNormDecoder.Config config(Fields f) {
        PreNormDecoder.Config config = GptJ.config(f, FUSED);
        if (config.size().hidden() % FUSED.layout().groups() != 0) {
            throw f.invalid("n_embd", "a multiple of " + FUSED.layout().groups());
        }
        return config;
    }
}
