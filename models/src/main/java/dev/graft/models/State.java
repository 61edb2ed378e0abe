package dev.graft.models;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * What recurrent layers keep of the texts read so far, by the name of a layer: tensors {@code [batch, ...]} whose size the length of a text
 * doesn't change. Unlike keys and values they can't be cut: what a pass has read is either taken back whole, as long as no other pass has
 * followed, or stays.
 */
final class State {
    private Map<String, List<Tensor>> ended = new LinkedHashMap<>();
    private Map<String, List<Tensor>> before = new LinkedHashMap<>();
    private final Map<String, List<Tensor>> running = new LinkedHashMap<>();

    boolean isEmpty() {
        return ended.isEmpty();
    }

    /** What a layer has kept of the passes that have ended; none before the first. */
    List<Tensor> of(String layer) {
        return ended.getOrDefault(layer, List.of());
    }

    /** What a layer keeps once the running pass ends. */
    void put(String layer, List<Tensor> tensors) {
        List<Tensor> old = running.put(layer, tensors.stream().map(State::kept).toList());
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

    /** Forgets the running pass. */
    void drop() {
        release(running);
    }

    /** Takes back the last pass that ended. */
    void back() {
        drop();
        release(ended);
        ended = before;
        before = new LinkedHashMap<>();
    }

    /** Puts a copy of another's in the place of what it has. */
    void set(State other) {
        other.ended.forEach(this::put);
    }

    /** Keeps only the given rows of the batch, in that order; the passes before can't be taken back then. */
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
