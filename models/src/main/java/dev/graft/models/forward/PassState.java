package dev.graft.models.forward;

import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Tape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The tensors that sites of a pass store for later sites, each under its own key with a row for each of the batch. The
 * state of a segment is one of the segment's outputs: gradients reach it, and it outlives the segment's temporary
 * tensors.
 */
final class PassState {
    private final Map<Object, Tensor> values = new IdentityHashMap<>();
    private List<Object> fresh = new ArrayList<>();

    /** Stores a tensor for all rows. */
    void put(Object key, Tensor value) {
        values.put(key, value);
        fresh.add(key);
    }

    /** Stores a tensor for some rows of a batch of that size. */
    void put(Object key, Tensor value, Tensor rows, long batch) {
        put(key, all(value, rows, batch, values.get(key)));
    }

    private static Tensor all(Tensor value, Tensor rows, long batch, @Nullable Tensor others) {
        long[] shape = Tensors.shape(value);
        shape[0] = batch;
        Tensor whole = others == null ? Tensors.zeros(value.scalar_type(), shape) : others;
        return whole.index_copy(0, rows, value);
    }

    /** Returns the tensor stored for all rows; null for none. */
    @Nullable
    Tensor find(Object key) {
        return values.get(key);
    }

    /** Returns the tensor stored for all rows. */
    Tensor get(Object key) {
        Tensor value = find(key);
        if (value == null) {
            throw new IllegalStateException("nothing was left in this pass: run it by Base.hidden");
        }
        return value;
    }

    /** Runs a segment with the stored tensors as further outputs; returns its own outputs. */
    Tensor[] outputs(Tape.ForwardFunction segment, Function<Tape.ForwardFunction, Tensor[]> run) {
        List<Object> keys = new ArrayList<>();
        Tensor[] outputs = run.apply(() -> {
            List<Object> outer = fresh;
            fresh = new ArrayList<>();
            List<Tensor> all = new ArrayList<>(Arrays.asList(segment.run()));
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
