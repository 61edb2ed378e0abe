package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Backbone;
import dev.graft.models.attention.AttentionWindow;
import dev.graft.models.attention.Rope;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.IntPredicate;

/**
 * The layers of a decoder that see all earlier positions and those that see a part: {@code sliding_window},
 * {@code layer_types}.
 */
final class LayerTypes {
    static final String FULL = "full_attention";
    static final String SLIDING = "sliding_attention";
    static final String CHUNKED = "chunked_attention";

    private LayerTypes() {}

    /** Returns identical layers. */
    static List<LlamaConfig.LayerKind> same(Backbone.Size size, Rope rope, AttentionWindow attentionWindow) {
        return Collections.nCopies(size.layers(), new LlamaConfig.LayerKind(rope, attentionWindow, null));
    }

    /** Reads {@code sliding_window}: null for none. If it is absent, the window is {@code absent}, 0 for none. */
    static AttentionWindow window(Fields f, int absent) {
        if (!f.has("sliding_window")) {
            return AttentionWindow.window(absent);
        }
        Integer window = f.integerOrNull("sliding_window", 1, Integer.MAX_VALUE);
        return window == null ? AttentionWindow.ALL : AttentionWindow.window(window);
    }

    /** Reads {@code layer_types}, or returns the default of a family with windows. */
    static List<String> types(Fields f, Backbone.Size size, IntPredicate isFull) {
        return types(f, size, SLIDING, isFull);
    }

    /** Reads {@code layer_types} of a family whose partial layers have the type {@code local}. */
    static List<String> types(Fields f, Backbone.Size size, String local, IntPredicate isFull) {
        List<String> given = f.stringsOrNull("layer_types");
        if (given != null) {
            if (given.size() != size.layers() || !List.of(FULL, local).containsAll(given)) {
                throw f.invalid("layer_types", FULL + " or " + local + " for each of " + size.layers() + " layers");
            }
            return given;
        }
        List<String> types = new ArrayList<>();
        for (int i = 0; i < size.layers(); i++) {
            types.add(isFull.test(i) ? FULL : local);
        }
        return types;
    }

    /**
     * Returns layers of Qwen2 and Qwen3: a window from {@code max_window_layers} on, if {@code use_sliding_window} is
     * true.
     */
    static List<LlamaConfig.LayerKind> qwen(Fields f, Backbone.Size size, Rope rope) {
        AttentionWindow window = f.bool("use_sliding_window", false) ? window(f, 4096) : AttentionWindow.ALL;
        int first = f.integer("max_window_layers", 28);
        return types(f, size, layer -> window.equals(AttentionWindow.ALL) || layer < first).stream()
                .map(type -> new LlamaConfig.LayerKind(rope, type.equals(SLIDING) ? window : AttentionWindow.ALL, null))
                .toList();
    }
}
