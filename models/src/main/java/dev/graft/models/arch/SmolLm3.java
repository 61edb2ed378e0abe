package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Reach;
import dev.graft.models.Rope;
import dev.graft.models.sites.Embedding;
import java.util.ArrayList;
import java.util.List;

/** SmolLM3 (Bakouch et al., 2025): a {@link Decoder} in which every fourth layer has no positions. */
public final class SmolLm3 extends DecoderFamily {
    /** Reads {@code model_type: smollm3}. */
    public SmolLm3() {
        super("smollm3", "SmolLM3");
    }

    @Override
    boolean tied() {
        return true;
    }

    @Override
    boolean answersAsTransformer() {
        return true;
    }

    @Override
    Decoder.Config config(Fields f) {
        Decoder.Size size = Decoder.size(f, 32_768);
        Decoder.Heads heads = Decoder.Heads.read(f, size, 4);
        Rope rope = Rope.read(f, heads.dim(), 2e6);
        int every = f.integer("no_rope_layer_interval", 4, 1);
        List<Integer> turned = f.integersOrNull("no_rope_layers");
        if (turned != null && turned.size() != size.layers()) {
            throw f.wrong("no_rope_layers", "one number for each of " + size.layers() + " layers");
        }
        Reach window = f.bool("use_sliding_window", false) ? Layers.window(f, 0) : Reach.ALL;
        List<Boolean> positions = new ArrayList<>();
        for (int i = 0; i < size.layers(); i++) {
            positions.add(turned == null ? (i + 1) % every != 0 : turned.get(i) != 0);
        }
        List<String> types = Layers.types(f, size, layer -> window.equals(Reach.ALL) || positions.get(layer));
        List<Decoder.Kind> kinds = new ArrayList<>();
        for (int i = 0; i < size.layers(); i++) {
            boolean sliding = types.get(i).equals(Layers.SLIDING);
            kinds.add(new Decoder.Kind(positions.get(i) ? rope : null, sliding ? window : Reach.ALL, null));
        }
        return new Decoder.Config(
                size,
                heads,
                Decoder.Mlp.read(f),
                Decoder.Norms.read(f, 1e-6),
                Embedding.padding(f, 128_004),
                List.copyOf(kinds));
    }
}
