package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Reach;
import dev.graft.models.Rope;
import dev.graft.models.Task;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Norm;
import java.util.EnumSet;
import java.util.Set;

/** OLMo 2 (Team OLMo, 2024): a {@link Decoder} that normalises behind its blocks, and all queries and all keys together. */
public final class Olmo2 extends DecoderFamily {
    /** Reads {@code model_type: olmo2}. */
    public Olmo2() {
        super("olmo2", "Olmo2");
    }

    @Override
    public Set<Task> tasks() {
        return EnumSet.of(Task.FEATURE_EXTRACTION, Task.SEQ_CLS, Task.CAUSAL_LM);
    }

    @Override
    Decoder.Config config(Fields f) {
        Decoder.Size size = Decoder.size(f, 2048);
        Decoder.Heads heads = Decoder.Heads.read(f, size, size.heads()).withNorm(Decoder.HeadNorm.ALL);
        return new Decoder.Config(
                size,
                heads,
                Decoder.Mlp.read(f),
                new Decoder.Norms(Decoder.Place.BEHIND, Norm.Kind.RMS, f.number("rms_norm_eps", 1e-5)),
                Embedding.padding(f, 1),
                Layers.same(size, Rope.read(f, heads.dim()), Reach.ALL));
    }
}
