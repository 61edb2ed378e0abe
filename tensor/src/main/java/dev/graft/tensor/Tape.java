package dev.graft.tensor;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Function;
import org.bytedeco.pytorch.AutoDispatchBelowADInplaceOrView;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * A network run in pieces, each with a gradient graph of its own. The outputs of a piece are leaves for the pieces after it; the backward
 * pass goes through the pieces in reverse and frees each one's memory as it goes. A piece whose gradient is known by formula needs no
 * graph at all, and its operations pass by all that libtorch would do for one: views that it remembers, versions that it counts. Used by one thread, once.
 */
public final class Tape {
    /** What a piece computes. */
    @FunctionalInterface
    public interface Forward {
        Tensor[] run();
    }

    /** The gradient of a piece by formula: adds to the gradients of its inputs. */
    @FunctionalInterface
    public interface Backward {
        /**
         * Runs the formula.
         *
         * @param gradient of the piece's output
         * @param kept what the forward pass gave behind its output
         */
        void run(Tensor gradient, List<Tensor> kept);
    }

    /** The gradient of a piece with several outputs by formula. */
    @FunctionalInterface
    public interface JointBackward {
        /**
         * Runs the formula.
         *
         * @param gradients of the piece's outputs; an output that nothing used has null
         * @param kept what the forward pass gave behind its outputs
         */
        void run(List<@Nullable Tensor> gradients, List<Tensor> kept);
    }

    private sealed interface Piece {
        /** Where its time belongs. */
        @Nullable
        Object place();
    }

    private record Graph(
            List<Tensor> outputs,
            List<Tensor> leaves,
            @Nullable Object place) implements Piece {}

    private record Formula(
            List<Tensor> leaves,
            List<Tensor> kept,
            JointBackward backward,
            @Nullable Object place) implements Piece {}

    /** @param dropout where the masks stood before it ran */
    private record Again(List<Tensor> leaves, Function<Tape, Tensor[]> part, long dropout) implements Piece {
        @Override
        public @Nullable Object place() {
            return null;
        }
    }

    private final Deque<Piece> pieces = new ArrayDeque<>();

    /** Runs a piece. What it makes is freed but for its outputs and what their gradient needs. */
    public Tensor[] run(Forward forward) {
        Object place = Profile.place();
        try (Scope scope = new Scope()) {
            Tensor[] outputs = timed(forward, place);
            Tensor[] leaves = new Tensor[outputs.length];
            List<Tensor> recorded = new ArrayList<>();
            List<Tensor> theirs = new ArrayList<>();
            for (int i = 0; i < outputs.length; i++) {
                boolean needed = outputs[i].requires_grad();
                leaves[i] = scope.keep(outputs[i].detach().set_requires_grad(needed));
                // Others, a mask for example, may be the caller's own tensors: those are not the tape's to keep or to
                // free.
                if (needed) {
                    // By a handle of its own: a piece may pass on what it was given.
                    recorded.add(scope.keep(new Tensor(outputs[i])));
                    theirs.add(leaves[i]);
                }
            }
            if (!recorded.isEmpty()) {
                pieces.push(new Graph(recorded, theirs, place));
            }
            return leaves;
        }
    }

    /** Runs a piece without recording it: its first result is the output, the others are kept for the formula of its gradient. */
    public Tensor run(Forward forward, Backward backward) {
        return run(1, forward, (gradients, kept) -> {
            Tensor gradient = gradients.get(0);
            if (gradient != null) {
                backward.run(gradient, kept);
            }
        })[0];
    }

    /** Runs a piece without recording it: its first results are the outputs, the others are kept for the formula of its gradient. */
    public Tensor[] run(int outputs, Forward forward, JointBackward backward) {
        Object place = Profile.place();
        try (AutoDispatchBelowADInplaceOrView off = new AutoDispatchBelowADInplaceOrView();
                Scope scope = new Scope()) {
            Tensor[] results = timed(forward, place);
            Tensor[] leaves = new Tensor[outputs];
            List<Tensor> kept = new ArrayList<>();
            for (int i = 0; i < results.length; i++) {
                if (i < outputs) {
                    leaves[i] = scope.keep(results[i].detach().set_requires_grad(true));
                } else {
                    kept.add(scope.keep(results[i]));
                }
            }
            pieces.push(new Formula(List.of(leaves), kept, backward, place));
            return leaves;
        }
    }

    private static Tensor[] timed(Forward forward, @Nullable Object place) {
        Profile.Mark mark = Profile.mark(place, false);
        Tensor[] results = forward.run();
        if (mark != null) {
            mark.end();
        }
        return results;
    }

    /**
     * Runs a part of the network and keeps its results alone. The backward pass runs it again, with the same dropout, for what its own
     * backward pass needs.
     *
     * @param part records its pieces on the tape that it is given
     */
    public Tensor[] again(Function<Tape, Tensor[]> part) {
        try (Scope scope = new Scope()) {
            long dropout = Dropout.state();
            Tensor[] results = part.apply(new Tape());
            List<Tensor> leaves = new ArrayList<>();
            boolean needed = false;
            for (Tensor result : results) {
                needed |= result.requires_grad();
                leaves.add(scope.keep(
                        result.requires_grad() ? result.detach().set_requires_grad(true) : new Tensor(result)));
            }
            if (needed) {
                pieces.push(new Again(leaves, part, dropout));
            }
            return leaves.toArray(Tensor[]::new);
        }
    }

    private static void backward(Again again) {
        List<@Nullable Tensor> gradients = new ArrayList<>();
        again.leaves.forEach(leaf -> gradients.add(gradient(leaf)));
        if (gradients.stream().anyMatch(gradient -> gradient != null)) {
            long dropout = Dropout.state();
            Dropout.state(again.dropout);
            Tape tape = new Tape();
            Profile.again(true);
            Tensor[] results = again.part.apply(tape);
            Profile.again(false);
            Dropout.state(dropout);
            backward(List.of(results), gradients);
            tape.backward();
        }
        again.leaves.stream().filter(Tensor::requires_grad).forEach(Tensor::close);
    }

    /** Frees the values of an output that only its gradient is needed of any more. */
    public static void forget(Tensor leaf) {
        leaf.set_data(Tensors.empty(leaf.scalar_type(), 0));
    }

    /** Runs all pieces backward, from the gradients that their outputs have got. */
    public void backward() {
        while (!pieces.isEmpty()) {
            Piece piece = pieces.pop();
            Profile.Mark mark = Profile.mark(piece.place(), true);
            try (Scope scope = new Scope()) {
                if (piece instanceof Graph graph) {
                    backward(graph);
                } else if (piece instanceof Again again) {
                    backward(again);
                } else if (piece instanceof Formula formula) {
                    List<@Nullable Tensor> gradients = new ArrayList<>();
                    formula.leaves.forEach(leaf -> gradients.add(gradient(leaf)));
                    try (AutoDispatchBelowADInplaceOrView off = new AutoDispatchBelowADInplaceOrView()) {
                        formula.backward.run(gradients, formula.kept);
                    }
                    formula.leaves.forEach(Tensor::close);
                    formula.kept.forEach(Tensor::close);
                }
            }
            if (mark != null) {
                mark.end();
            }
        }
    }

    private static void backward(Graph graph) {
        List<@Nullable Tensor> gradients = new ArrayList<>();
        graph.leaves.forEach(leaf -> gradients.add(gradient(leaf)));
        backward(graph.outputs, gradients);
        graph.outputs.forEach(Tensor::close);
        graph.leaves.forEach(Tensor::close);
    }

    /** From outputs that have a gradient, those of another tape among them. */
    private static void backward(List<Tensor> outputs, List<@Nullable Tensor> gradients) {
        TensorVector roots = new TensorVector();
        TensorVector theirs = new TensorVector();
        for (int i = 0; i < outputs.size(); i++) {
            Tensor gradient = gradients.get(i);
            if (gradient == null) {
                continue;
            }
            if (outputs.get(i).is_leaf()) {
                accumulate(outputs.get(i), gradient);
            } else {
                roots.push_back(outputs.get(i));
                theirs.push_back(gradient);
            }
        }
        if (!roots.empty()) {
            torch.backward(roots, theirs, new BoolOptional(), false, new TensorVector());
        }
    }

    /** Adds to the gradient of a leaf. */
    public static void accumulate(Tensor leaf, Tensor gradient) {
        Tensor already = gradient(leaf);
        if (already == null) {
            leaf.mutable_grad().put(Fused.cast(gradient, leaf.scalar_type()));
        } else {
            Fused.addTo(already, gradient);
        }
    }

    /** Adds a product {@code a b} to the gradient of a leaf {@code [rows, out]}. */
    public static void accumulateProduct(Tensor leaf, Tensor a, Tensor b) {
        Tensor already = gradient(leaf);
        if (already == null) {
            // The first product of a leaf is rounded as little as those that are added later.
            already = Tensors.zeros(leaf.scalar_type(), Tensors.shape(leaf));
            leaf.mutable_grad().put(already);
        }
        Ops.addProduct(already, a, b);
    }

    /** The gradient of a leaf so far, or null. */
    public static @Nullable Tensor gradient(Tensor leaf) {
        Tensor gradient = leaf.grad();
        return gradient.defined() ? gradient : null;
    }
}
