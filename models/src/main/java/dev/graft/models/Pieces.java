package dev.graft.models;

import dev.graft.formats.InputException;
import dev.graft.tensor.Dropout;
import dev.graft.tensor.Profile;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tape;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * How a network runs in pieces: in training on a tape, with layers once more in the backward pass where only their inputs are kept; else each by
 * itself, so that what it makes on the way is freed. Outputs of the first layers may be known.
 */
final class Pieces {
    private final Notes notes;
    private final boolean scores;
    private final boolean repeats;
    private final @Nullable FrozenPrefix prefix;
    private final @Nullable Tensor known;
    private final long dropoutAtStart;
    private @Nullable Tape tape;
    private int layersRun;

    /**
     * Those of a pass.
     *
     * @param tape where they are recorded; null for none
     * @param scores whether a loss is made of what they give
     */
    Pieces(@Nullable Tape tape, boolean scores) {
        this(new Notes(), tape, scores, false, null);
    }

    private Pieces(Notes notes, @Nullable Tape tape, boolean scores, boolean repeats, @Nullable FrozenPrefix prefix) {
        this.notes = notes;
        this.tape = tape;
        this.scores = scores;
        this.repeats = repeats;
        this.prefix = prefix;
        known = prefix == null ? null : prefix.known();
        dropoutAtStart = Dropout.state();
    }

    /** The same, whose layers run again in the backward pass. */
    Pieces repeated() {
        return new Pieces(notes, tape, scores, true, prefix);
    }

    /** The same of a network whose first layers may be known; null for none that are. */
    Pieces after(@Nullable FrozenPrefix layers) {
        return new Pieces(notes, tape, scores, repeats, layers);
    }

    /**
     * Those of another network.
     *
     * @param learns whether they are part of what goes backward
     */
    Pieces beside(boolean learns) {
        return new Pieces(new Notes(), learns ? tape : null, scores, repeats, null);
    }

    Notes notes() {
        return notes;
    }

    @Nullable
    Tape tape() {
        return tape;
    }

    /** Whether a loss is made of what they give. */
    boolean scores() {
        return scores;
    }

    /** Whether what a layer gives is kept for other passes. */
    boolean knows(int layer) {
        return prefix != null && layer < prefix.layers();
    }

    /** Whether layers run again in the backward pass. */
    boolean repeats() {
        return repeats;
    }

    /** Runs a piece; it gives its own outputs, and what it notes stays. */
    Tensor[] run(Tape.Forward forward) {
        Profile.at("other");
        return notes.outputs(forward, piece -> tape == null ? untaped(piece) : tape.run(piece));
    }

    private static Tensor[] untaped(Tape.Forward forward) {
        try (Scope scope = new Scope()) {
            Tensor[] outputs = forward.run();
            for (int i = 0; i < outputs.length; i++) {
                // A handle of its own: an output may be a tensor that somebody else's scope will free.
                outputs[i] = scope.keep(new Tensor(outputs[i]));
            }
            return outputs;
        }
    }

    /** Runs a layer, which is a piece itself where there is no tape. */
    Tensor layer(Supplier<Tensor> body) {
        if (tape == null) {
            return notes.outputs(() -> new Tensor[] {body.get()}, Pieces::untaped)[0];
        }
        int index = layersRun++;
        if (prefix == null || index >= prefix.layers()) {
            return recorded(body);
        }
        if (known != null) {
            return known;
        }
        Tensor output = recorded(body);
        if (index == prefix.layers() - 1) {
            if (Dropout.state() != dropoutAtStart) {
                throw new InputException(
                        "cache_frozen_layers keeps what the lower layers give, but this model drops some of"
                                + " it at random while it trains; set hidden_dropout and attention_dropout to 0, or leave it out");
            }
            prefix.learn(output);
        }
        return output;
    }

    private Tensor recorded(Supplier<Tensor> body) {
        Profile.at("other");
        Tape whole = tape;
        return repeats && whole != null
                ? notes.outputs(() -> new Tensor[] {body.get()}, part -> whole.again(own -> on(own, part)))[0]
                : body.get();
    }

    private Tensor[] on(Tape other, Tape.Forward part) {
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
