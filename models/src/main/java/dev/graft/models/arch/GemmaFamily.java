package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Head;
import dev.graft.models.SoftCap;
import dev.graft.models.Task;
import dev.graft.models.Weights;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Norm;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What Gemma's generations share: a {@link Decoder} with scaled embeddings, norms around 1 and a vocabulary head that is tied. */
abstract class GemmaFamily extends DecoderFamily {
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

    /** The cap of the next token's logits, or null. */
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

    /** The heads, whose size doesn't follow from that of the model. */
    static Decoder.Heads heads(Fields f, Decoder.Size size, int absentKeyValues) {
        if (Boolean.TRUE.equals(f.boolOrNull("use_bidirectional_attention"))) {
            throw f.wrong("use_bidirectional_attention", "false");
        }
        return Decoder.Heads.read(f, size, absentKeyValues, 256);
    }

    /** The factor of scores that {@code query_pre_attn_scalar} gives. */
    static double scale(Fields f) {
        return 1 / Math.sqrt(f.number("query_pre_attn_scalar", 256));
    }

    static Decoder.Config config(
            Fields f,
            Decoder.Size size,
            Decoder.Heads heads,
            Decoder.Mlp mlp,
            Decoder.Place place,
            List<Decoder.Kind> kinds) {
        return new Decoder.Config(
                size,
                heads,
                mlp,
                new Decoder.Norms(place, Norm.Kind.RMS_PLUS_ONE, f.number("rms_norm_eps", 1e-6)),
                Embedding.padding(f, 0),
                Math.sqrt(size.hidden()),
                0,
                0,
                kinds);
    }
}
