package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.attention.AttentionWindow;
import dev.graft.models.attention.Rope;
import dev.graft.models.attention.RopeScaling;
import dev.graft.models.sites.Embedding;
import java.util.ArrayList;
import java.util.List;

/** SmolLM3 (Bakouch et al., 2025): a {@link LlamaDecoder} in which every fourth layer has no positions. */
public final class SmolLm3 extends LlamaFamily {
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
    LlamaConfig config(Fields f) {
        LlamaDecoder.Size size = LlamaConfig.size(f, 32_768);
        LlamaConfig.Heads heads = LlamaConfig.Heads.read(f, size, 4);
        Rope rope = RopeScaling.read(f, heads.dim(), 2e6);
        int every = f.integer("no_rope_layer_interval", 4, 1);
        List<Integer> turned = f.integersOrNull("no_rope_layers");
        if (turned != null && turned.size() != size.layers()) {
            throw f.invalid("no_rope_layers", "one number for each of " + size.layers() + " layers");
        }
        AttentionWindow window = f.bool("use_sliding_window", false) ? LayerTypes.window(f, 0) : AttentionWindow.ALL;
        List<Boolean> positions = new ArrayList<>();
        for (int i = 0; i < size.layers(); i++) {
            positions.add(turned == null ? (i + 1) % every != 0 : turned.get(i) != 0);
        }
        List<String> types =
                LayerTypes.types(f, size, layer -> window.equals(AttentionWindow.ALL) || positions.get(layer));
        List<LlamaConfig.LayerKind> kinds = new ArrayList<>();
        for (int i = 0; i < size.layers(); i++) {
            boolean sliding = types.get(i).equals(LayerTypes.SLIDING);
            kinds.add(new LlamaConfig.LayerKind(
                    positions.get(i) ? rope : null, sliding ? window : AttentionWindow.ALL, null));
        }
        return new LlamaConfig(
                size,
                heads,
                LlamaConfig.Mlp.read(f),
                LlamaConfig.Norms.read(f, 1e-6),
                Embedding.padding(f, 128_004),
                List.copyOf(kinds));
    }
}
