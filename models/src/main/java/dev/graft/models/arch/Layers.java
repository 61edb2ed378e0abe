package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Backbone;
import dev.graft.models.Reach;
import dev.graft.models.Rope;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.IntPredicate;

/** Which layers of a decoder see everything before them and which a part: {@code sliding_window}, {@code layer_types}. */
final class Layers {
    static final String FULL = "full_attention";
    static final String SLIDING = "sliding_attention";
    static final String CHUNKED = "chunked_attention";

    private Layers() {}

    /** Layers that are all alike. */
    static List<Decoder.Kind> same(Backbone.Size size, Rope rope, Reach reach) {
        return Collections.nCopies(size.layers(), new Decoder.Kind(rope, reach, null));
    }

    /** {@code sliding_window}: null is none; where it isn't said so many positions, 0 for none. */
    static Reach window(Fields f, int absent) {
        if (!f.has("sliding_window")) {
            return Reach.window(absent);
        }
        Integer window = f.integerOrNull("sliding_window", 1, Integer.MAX_VALUE);
        return window == null ? Reach.ALL : Reach.window(window);
    }

    /** {@code layer_types}, or what a family with windows takes in its place. */
    static List<String> types(Fields f, Backbone.Size size, IntPredicate isFull) {
        return types(f, size, SLIDING, isFull);
    }

    /** The same where layers that don't see everything are of that type. */
    static List<String> types(Fields f, Backbone.Size size, String local, IntPredicate isFull) {
        List<String> given = f.stringsOrNull("layer_types");
        if (given != null) {
            if (given.size() != size.layers() || !List.of(FULL, local).containsAll(given)) {
                throw f.wrong("layer_types", FULL + " or " + local + " for each of " + size.layers() + " layers");
            }
            return given;
        }
        List<String> types = new ArrayList<>();
        for (int i = 0; i < size.layers(); i++) {
            types.add(isFull.test(i) ? FULL : local);
        }
        return types;
    }

    /** Layers of Qwen2 and Qwen3: a window from {@code max_window_layers} on, if {@code use_sliding_window} is true. */
    static List<Decoder.Kind> qwen(Fields f, Backbone.Size size, Rope rope) {
        Reach window = f.bool("use_sliding_window", false) ? window(f, 4096) : Reach.ALL;
        int first = f.integer("max_window_layers", 28);
        return types(f, size, layer -> window.equals(Reach.ALL) || layer < first).stream()
                .map(type -> new Decoder.Kind(rope, type.equals(SLIDING) ? window : Reach.ALL, null))
                .toList();
    }
}
