package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Rope;
import dev.graft.models.Task;
import dev.graft.models.sites.Embedding;
import java.util.EnumSet;
import java.util.Set;

/**
 * Phi-3 and Phi-4 (Abdin et al., 2024): a {@link Decoder} in which one layer gives queries, keys and values and one gives gate and up.
 */
public final class Phi3 extends DecoderFamily {
    /** Reads {@code model_type: phi3}. */
    public Phi3() {
        super("phi3", "Phi3");
    }

    @Override
    public Set<Task> tasks() {
        return EnumSet.of(Task.FEATURE_EXTRACTION, Task.SEQ_CLS, Task.TOKEN_CLS, Task.CAUSAL_LM);
    }

    @Override
    Decoder.Config config(Fields f) {
        Decoder.Size size = Decoder.size(f, 4096);
        Decoder.Heads heads =
                Decoder.Heads.read(f, size, size.heads()).withBias(false, false).asFused();
        return new Decoder.Config(
                size,
                heads,
                Decoder.Mlp.read(f).asFused(),
                Decoder.Norms.read(f, 1e-5),
                Embedding.padding(f, 32_000),
                1,
                0,
                f.number("resid_pdrop", 0.0),
                Layers.same(size, Rope.read(f, heads.dim()), Layers.window(f, 0)));
    }
}
