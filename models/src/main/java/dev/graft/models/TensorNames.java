package dev.graft.models;

import dev.graft.tensor.Ops;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What a checkpoint calls the tensors that an architecture asks for by the names it has as a Hugging Face model: with or without the prefix
 * of its backbone, by older names, several as one, or one as several.
 */
final class TensorNames {
    /** One of equal parts of a larger tensor, one under another. */
    record Part(String whole, int index, int count) {}

    private final Set<String> known;
    private final String prefix;
    private final Map<String, IntFunction<List<String>>> others = new HashMap<>();
    private final Map<String, Part> parts = new HashMap<>();
    private UnaryOperator<String> older = UnaryOperator.identity();
    private String otherPrefix = "";

    /**
     * The names of a checkpoint.
     *
     * @param known all that it has
     * @param prefix what a model with a head has before its backbone's names, and a bare backbone has not
     */
    TensorNames(Set<String> known, String prefix) {
        this.known = known;
        this.prefix = prefix;
    }

    /** Says what checkpoints call parameters whose own names are newer. */
    void rename(UnaryOperator<String> names) {
        older = names;
    }

    /** Says under which other prefix the backbone may be. */
    void orUnder(String prefixToo) {
        otherPrefix = prefixToo;
    }

    /** Says that a tensor may have another name, or be in parts: for each expert those of its matrices. */
    void alias(String name, IntFunction<List<String>> names) {
        others.put(name, names);
    }

    /** Says that a tensor may be a part of another. */
    void part(String name, Part part) {
        parts.put(name, part);
    }

    /** Which part of another tensor it may be; null for none. */
    @Nullable
    Part part(String name) {
        return parts.get(name);
    }

    /** The checkpoint's name, or null where it lacks the tensor. */
    @Nullable
    String locate(String name) {
        IntFunction<List<String>> aliases = others.get(name);
        String found = aliases == null ? null : locate(aliases.apply(0).get(0));
        return found == null ? locateWhole(name) : found;
    }

    /** The same but for what {@link #alias} says. */
    @Nullable
    String locateWhole(String name) {
        String own = find(name);
        String before = older.apply(name);
        return own == null && !before.equals(name) ? find(before) : own;
    }

    private @Nullable String find(String name) {
        if (known.contains(name)) {
            return name;
        }
        if (known.contains(prefix + name)) {
            return prefix + name;
        }
        if (!name.startsWith(prefix)) {
            return null;
        }
        String bare = name.substring(prefix.length());
        return known.contains(bare) ? bare : known.contains(otherPrefix + bare) ? otherPrefix + bare : null;
    }

    /** Tensors by their own names as checkpoints hold them. */
    Map<String, Tensor> stored(Map<String, Tensor> tensors) {
        Map<String, Tensor> stored = new LinkedHashMap<>();
        tensors.forEach((name, value) -> {
            IntFunction<List<String>> names = others.get(name);
            Part own = parts.get(name);
            if (own != null) {
                if (own.index == 0) {
                    stored.put(own.whole, whole(own.whole, tensors));
                }
            } else if (names == null || value.dim() == 2) {
                stored.put(names == null ? older.apply(name) : names.apply(0).get(0), value);
            } else {
                stored.putAll(experts(value, names));
            }
        });
        return stored;
    }

    private Tensor whole(String name, Map<String, Tensor> tensors) {
        Tensor[] pieces = parts.entrySet().stream()
                .filter(part -> part.getValue().whole.equals(name))
                .sorted(Comparator.comparing(part -> part.getValue().index))
                .map(part -> tensors.get(part.getKey()))
                .toArray(Tensor[]::new);
        return Ops.cat(0, pieces);
    }

    private static Map<String, Tensor> experts(Tensor all, IntFunction<List<String>> names) {
        Map<String, Tensor> matrices = new LinkedHashMap<>();
        for (int expert = 0; expert < all.size(0); expert++) {
            List<String> own = names.apply(expert);
            long each = all.size(1) / own.size();
            for (int i = 0; i < own.size(); i++) {
                Tensor part = all.select(0, expert).narrow(0, i * each, each);
                matrices.put(own.get(i), part.contiguous());
            }
        }
        return matrices;
    }

    /** Values by their own names under those that checkpoints give them. */
    <V> Map<String, V> renamed(Map<String, V> values) {
        Map<String, V> stored = new LinkedHashMap<>();
        values.forEach((name, value) -> stored.put(older.apply(name), value));
        return stored;
    }
}
