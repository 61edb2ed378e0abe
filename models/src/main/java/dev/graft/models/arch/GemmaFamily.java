package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Task;
import dev.graft.models.functions.SoftCap;
import dev.graft.models.heads.Head;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Norm;
import dev.graft.models.weights.Weights;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The common parts of Gemma's generations: a {@link LlamaDecoder} with scaled embeddings, norms around 1 and a tied
 * vocabulary head.
 */
abstract class GemmaFamily extends LlamaFamily {
    GemmaFamily(String modelType, String stem) {
        super(modelType, stem);
    }

    @Override
    public Set<Task> tasks() {
        return EnumSet.of(Task.FEATURE_EXTRACTION, Task.SEQ_CLS, Task.TOKEN_CLS, Task.CAUSAL_LM);
    }

    @Override
    boolean tied() {
        return true;
    }

    /** Returns the cap of the next token's logits, or null. */
    @Nullable
    SoftCap logitCap(Fields f) {
        return null;
    }

    @Override
    public Model build(Fields f, Weights weights, HeadSpec spec) {
        Model model = super.build(f, weights, spec);
        SoftCap cap = logitCap(f);
        return cap == null || spec.task() != Task.CAUSAL_LM
                ? model
                : new Model(model.backbone(), new Head.Capped(model.head(), cap));
    }

    /** Returns the heads, whose size does not depend on that of the model. */
    static LlamaConfig.Heads heads(Fields f, LlamaDecoder.Size size, int absentKeyValues) {
        if (Boolean.TRUE.equals(f.boolOrNull("use_bidirectional_attention"))) {
            throw f.invalid("use_bidirectional_attention", "false");
        }
        return LlamaConfig.Heads.read(f, size, absentKeyValues, 256);
    }

    /** Returns the factor of scores from {@code query_pre_attn_scalar}. */
    static double scale(Fields f) {
        double scalar = f.number("query_pre_attn_scalar", 256);
        if (!(scalar > 0)) {
            throw f.invalid("query_pre_attn_scalar", "a number above 0");
        }
        return 1 / Math.sqrt(scalar);
    }

    static LlamaConfig config(
            Fields f,
            LlamaDecoder.Size size,
            LlamaConfig.Heads heads,
            LlamaConfig.Mlp mlp,
            LlamaConfig.NormPlacement placement,
            List<LlamaConfig.LayerKind> kinds) {
        return new LlamaConfig(
                size,
                heads,
                mlp,
                new LlamaConfig.Norms(placement, Norm.Kind.RMS_PLUS_ONE, f.number("rms_norm_eps", 1e-6, 0, 1)),
                Embedding.padding(f, 0),
                Math.sqrt(size.hidden()),
                0,
                0,
                kinds);
    }
}
