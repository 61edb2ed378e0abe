package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.attention.AttentionWindow;
import dev.graft.models.attention.Rope;
import dev.graft.models.attention.RopeScaling;
import dev.graft.models.sites.Embedding;
import java.util.List;
import java.util.function.IntPredicate;

/**
 * EXAONE 4 (LG AI Research, 2025): a {@link LlamaDecoder} with norms behind its blocks, and one for each head of queries and keys. With
 * a {@code sliding_window}, three layers of four see a window, and the others have no positions.
 */
public final class Exaone4 extends LlamaFamily {
    /** Reads {@code model_type: exaone4}. */
    public Exaone4() {
        super("exaone4", "Exaone4");
    }

    @Override
    boolean answersAsTransformer() {
        return true;
    }

    @Override
    LlamaConfig config(Fields f) {
        LlamaDecoder.Size size = LlamaConfig.size(f, 2048);
        LlamaConfig.Heads heads = LlamaConfig.Heads.read(f, size, size.heads()).withNorm(LlamaConfig.HeadNorm.EACH);
        return new LlamaConfig(
                size,
                heads,
                LlamaConfig.Mlp.read(f),
                LlamaConfig.Norms.readBehind(f),
                Embedding.padding(f, -1),
                layers(f, size, RopeScaling.read(f, heads.dim())));
    }

    private static List<LlamaConfig.LayerKind> layers(Fields f, LlamaDecoder.Size size, Rope rope) {
        AttentionWindow window = LayerTypes.window(f, 4096);
        if (window.equals(AttentionWindow.ALL)) {
            f.ignore("sliding_window_pattern");
            if (LayerTypes.types(f, size, layer -> true).contains(LayerTypes.SLIDING)) {
                throw f.invalid("layer_types", LayerTypes.FULL + " for each layer, since sliding_window is null");
            }
            return LayerTypes.same(size, rope, window);
        }
        LlamaConfig.LayerKind sliding = new LlamaConfig.LayerKind(rope, window, null);
        LlamaConfig.LayerKind full = new LlamaConfig.LayerKind(null, AttentionWindow.ALL, null);
        return LayerTypes.types(f, size, isFull(f)).stream()
                .map(type -> type.equals(LayerTypes.FULL) ? full : sliding)
                .toList();
    }

    private static IntPredicate isFull(Fields f) {
        if (f.has("layer_types")) {
            // Published files spell the pattern in letters beside the list, as "LLLG".
            f.ignore("sliding_window_pattern");
            return layer -> true;
        }
        int period = f.integer("sliding_window_pattern", 4, 1);
        return layer -> (layer + 1) % period == 0;
    }
}
