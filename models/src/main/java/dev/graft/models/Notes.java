package dev.graft.models;

import dev.graft.tensor.Scope;
import dev.graft.tensor.Tape;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What is left in a pass under a key of its own for sites further on, a row for each of the batch. A note of a piece of the network is an
 * output of that piece beside its own: gradients reach it, and it outlives what the piece makes on the way.
 */
final class Notes {
    private final Map<Object, Tensor> values = new IdentityHashMap<>();
    private List<Object> fresh = new ArrayList<>();

    /** Leaves something for all rows. */
    void put(Object key, Tensor value) {
        values.put(key, value);
        fresh.add(key);
    }

    /** Leaves something for some rows of a batch of that many. */
    void put(Object key, Tensor value, Tensor rows, long batch) {
        put(key, all(value, rows, batch, values.get(key)));
    }

    private static Tensor all(Tensor value, Tensor rows, long batch, @Nullable Tensor others) {
        long[] shape = Tensors.shape(value);
        shape[0] = batch;
        Tensor whole = others == null ? Tensors.zeros(value.scalar_type(), shape) : others;
        return whole.index_copy(0, rows, value);
    }

    /** What was left for all rows; null for nothing. */
    @Nullable
    Tensor find(Object key) {
        return values.get(key);
    }

    /** What was left for all rows. */
    Tensor get(Object key) {
        Tensor value = find(key);
        if (value == null) {
            throw new IllegalStateException("nothing was left in this pass: run it by Base.hidden");
        }
        return value;
    }

    /** Runs a piece of the network with its notes as further outputs; gives its own. */
    Tensor[] outputs(Tape.Forward piece, Function<Tape.Forward, Tensor[]> run) {
        List<Object> keys = new ArrayList<>();
        Tensor[] outputs = run.apply(() -> {
            List<Object> outer = fresh;
            fresh = new ArrayList<>();
            List<Tensor> all = new ArrayList<>(Arrays.asList(piece.run()));
            keys.clear();
            keys.addAll(fresh);
            keys.forEach(key -> all.add(get(key)));
            outer.addAll(fresh);
            fresh = outer;
            return all.toArray(Tensor[]::new);
        });
        int own = outputs.length - keys.size();
        for (int i = 0; i < keys.size(); i++) {
            values.put(keys.get(i), outputs[own + i]);
        }
        return Arrays.copyOf(outputs, own);
    }

    void keep(Scope scope) {
        values.replaceAll((key, value) -> scope.keep(value.detach()));
    }
}
