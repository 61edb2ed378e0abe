package dev.graft.models.cache;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * The state of recurrent layers after the texts read so far, by the name of a layer: tensors {@code [batch, ...]} whose size doesn't depend on
 * the length. Unlike keys and values it can't be truncated. The last pass can be undone as a whole until another one follows; earlier passes are
 * permanent.
 */
public final class RecurrentState {
    private Map<String, List<Tensor>> ended = new LinkedHashMap<>();
    private Map<String, List<Tensor>> before = new LinkedHashMap<>();
    private final Map<String, List<Tensor>> running = new LinkedHashMap<>();

    boolean isEmpty() {
        return ended.isEmpty();
    }

    /** Returns a layer's state after the completed passes; empty before the first. */
    public List<Tensor> of(String layer) {
        return ended.getOrDefault(layer, List.of());
    }

    /** Stores a layer's state, effective when the running pass ends. */
    public void put(String layer, List<Tensor> tensors) {
        List<Tensor> old =
                running.put(layer, tensors.stream().map(RecurrentState::kept).toList());
        if (old != null) {
            old.forEach(Tensor::releaseReference);
        }
    }

    /** Ends the running pass. */
    void advance() {
        if (running.isEmpty()) {
            return;
        }
        release(before);
        before = ended;
        ended = new LinkedHashMap<>(running);
        running.clear();
    }

    /** Discards the running pass. */
    void discard() {
        release(running);
    }

    /** Undoes the last completed pass. */
    void rewind() {
        discard();
        release(ended);
        ended = before;
        before = new LinkedHashMap<>();
    }

    /** Replaces its content by a copy of another state. */
    void set(RecurrentState other) {
        other.ended.forEach(this::put);
    }

    /** Keeps only the given rows of the batch, in that order; earlier passes can't be undone any more. */
    void select(Tensor rows) {
        release(before);
        ended.replaceAll((layer, old) -> {
            List<Tensor> chosen = old.stream()
                    .map(tensor -> kept(tensor.index_select(0, rows)))
                    .toList();
            old.forEach(Tensor::releaseReference);
            return chosen;
        });
    }

    long bytes() {
        long bytes = 0;
        for (Map<String, List<Tensor>> layers : List.of(before, ended, running)) {
            for (List<Tensor> tensors : layers.values()) {
                bytes += tensors.stream()
                        .mapToLong(tensor -> tensor.numel() * tensor.element_size())
                        .sum();
            }
        }
        return bytes;
    }

    void close() {
        release(before);
        release(ended);
        release(running);
    }

    private static void release(Map<String, List<Tensor>> layers) {
        layers.values().forEach(tensors -> tensors.forEach(Tensor::releaseReference));
        layers.clear();
    }

    /** A copy beyond the scope that it is made in, without the memory that a view would hold. */
    private static Tensor kept(Tensor tensor) {
        Tensor copy = tensor.clone();
        copy.retainReference();
        return copy;
    }
}
