package dev.graft.models.forward;

import dev.graft.formats.InputException;
import dev.graft.tensor.Profiler;
import dev.graft.tensor.Scope;
import dev.graft.tensor.ops.Dropout;
import dev.graft.tensor.ops.Tape;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The execution of a network in segments. In training they run on a tape; layers that keep only their inputs run again in the backward pass.
 * Otherwise each segment runs alone, so its temporary tensors are freed. Outputs of the first layers may come from a cache.
 */
final class Segments {
    private final PassState passState;
    private final boolean feedsLoss;
    private final boolean isCheckpointed;
    private final @Nullable FrozenLayerCache frozenLayers;
    private final @Nullable Tensor known;
    private final long dropoutAtStart;
    private @Nullable Tape tape;
    private int layersRun;

    /**
     * Creates the segments of a pass.
     *
     * @param tape records them; null for none
     * @param scores whether a loss is computed from the outputs
     */
    Segments(@Nullable Tape tape, boolean scores) {
        this(new PassState(), tape, scores, false, null);
    }

    private Segments(
            PassState passState,
            @Nullable Tape tape,
            boolean scores,
            boolean repeats,
            @Nullable FrozenLayerCache frozenLayers) {
        this.passState = passState;
        this.tape = tape;
        this.feedsLoss = scores;
        this.isCheckpointed = repeats;
        this.frozenLayers = frozenLayers;
        known = frozenLayers == null ? null : frozenLayers.cachedOutput();
        dropoutAtStart = Dropout.state();
    }

    /** Returns segments whose layers run again in the backward pass. */
    Segments checkpointed() {
        return new Segments(passState, tape, feedsLoss, true, frozenLayers);
    }

    /** Returns segments of a network whose first layers may be cached; null for none. */
    Segments withFrozenLayers(@Nullable FrozenLayerCache layers) {
        return new Segments(passState, tape, feedsLoss, isCheckpointed, layers);
    }

    /**
     * Returns the segments of another network.
     *
     * @param learns whether they take part in the backward pass
     */
    Segments companion(boolean learns) {
        return new Segments(new PassState(), learns ? tape : null, feedsLoss, isCheckpointed, null);
    }

    PassState notes() {
        return passState;
    }

    @Nullable
    Tape tape() {
        return tape;
    }

    /** Returns whether a loss uses their output. */
    boolean feedsLoss() {
        return feedsLoss;
    }

    /** Returns whether the output of a layer is cached for other passes. */
    boolean isCached(int layer) {
        return frozenLayers != null && layer < frozenLayers.layers();
    }

    /** Returns whether layers run again in the backward pass. */
    boolean isCheckpointed() {
        return isCheckpointed;
    }

    /** Runs a segment and returns its own outputs; its stored state remains. */
    Tensor[] run(Tape.ForwardFunction forward) {
        Profiler.enter("other");
        return passState.outputs(forward, segment -> tape == null ? untaped(segment) : tape.run(segment));
    }

    private static Tensor[] untaped(Tape.ForwardFunction forward) {
        try (Scope scope = new Scope()) {
            Tensor[] outputs = forward.run();
            for (int i = 0; i < outputs.length; i++) {
                // A handle of its own: an output may be a tensor that somebody else's scope will free.
                outputs[i] = scope.keep(new Tensor(outputs[i]));
            }
            return outputs;
        }
    }

    /** Runs a layer, which is a segment if there is no tape. */
    Tensor layer(Supplier<Tensor> body) {
        if (tape == null) {
            return passState.outputs(() -> new Tensor[] {body.get()}, Segments::untaped)[0];
        }
        int index = layersRun++;
        if (frozenLayers == null || index >= frozenLayers.layers()) {
            return recorded(body);
        }
        if (known != null) {
            return known;
        }
        Tensor output = recorded(body);
        if (index == frozenLayers.layers() - 1) {
            if (Dropout.state() != dropoutAtStart) {
                throw new InputException(
                        "cache_frozen_layers keeps what the lower layers give, but this model drops some of it at"
                                + " random while it trains; set hidden_dropout and attention_dropout to 0, or leave it"
                                + " out");
            }
            frozenLayers.cacheOutput(output);
        }
        return output;
    }

    private Tensor recorded(Supplier<Tensor> body) {
        Profiler.enter("other");
        Tape whole = tape;
        return isCheckpointed && whole != null
                ? passState.outputs(() -> new Tensor[] {body.get()}, part -> whole.checkpoint(own -> on(own, part)))[0]
                : body.get();
    }

    private Tensor[] on(Tape other, Tape.ForwardFunction part) {
        Tape whole = tape;
        tape = other;
        try {
            return part.run();
        } finally {
            tape = whole;
        }
    }

    void backward() {
        if (tape == null) {
            throw new IllegalStateException("only a training pass goes backward");
        }
        tape.backward();
    }
}
