package dev.graft.models.weights;

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
 * The names in a checkpoint of the tensors that an architecture requests by their Hugging Face names. They may have or
 * lack the prefix of the backbone, be older, join several tensors in one, or split one into several.
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
     * Reads the names of a checkpoint.
     *
     * @param known all its names
     * @param prefix the prefix of the backbone's names in a model with a head, which a bare backbone lacks
     */
    TensorNames(Set<String> known, String prefix) {
        this.known = known;
        this.prefix = prefix;
    }

    /** Sets the older names of parameters in checkpoints. */
    void rename(UnaryOperator<String> names) {
        older = names;
    }

    /** Sets another possible prefix of the backbone. */
    void alsoUnder(String prefixToo) {
        otherPrefix = prefixToo;
    }

    /** Declares that a tensor may have another name, or be split: for each expert the names of its matrices. */
    void alias(String name, IntFunction<List<String>> names) {
        others.put(name, names);
    }

    /** Declares that a tensor may be a part of another. */
    void part(String name, Part part) {
        parts.put(name, part);
    }

    /** Returns the part of another tensor that it may be; null for none. */
    @Nullable
    Part part(String name) {
        return parts.get(name);
    }

    /** Returns the checkpoint's name, or null if it lacks the tensor. */
    @Nullable
    String locate(String name) {
        IntFunction<List<String>> aliases = others.get(name);
        String found = aliases == null ? null : locate(aliases.apply(0).get(0));
        return found == null ? locateWhole(name) : found;
    }

    /** Returns the checkpoint's name without regard to {@link #alias}, or null if it lacks the tensor. */
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

    /** Converts tensors by their own names to the names and parts of the checkpoint. */
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

    /** Converts the names of values to those of the checkpoint. */
    <V> Map<String, V> renamed(Map<String, V> values) {
        Map<String, V> stored = new LinkedHashMap<>();
        values.forEach((name, value) -> stored.put(older.apply(name), value));
        return stored;
    }
}
