package dev.graft.tensor.ops;

import dev.graft.tensor.Profiler;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
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
 * A network that runs in segments, each with its own gradient graph. The outputs of a segment are leaves for the later segments. The backward
 * pass visits the segments in reverse and frees each one's memory as it goes. A segment whose gradient is a formula needs no graph, and its
 * operations skip libtorch's tracking of views and versions. Used by one thread, once.
 */
public final class Tape {
    /** The computation of a segment. */
    @FunctionalInterface
    public interface ForwardFunction {
        Tensor[] run();
    }

    /** The gradient of a segment by formula: adds to the gradients of its inputs. */
    @FunctionalInterface
    public interface BackwardFunction {
        /**
         * Runs the formula.
         *
         * @param gradient the gradient of the segment's output
         * @param kept the forward results after the output
         */
        void run(Tensor gradient, List<Tensor> kept);
    }

    /** The gradient of a segment with several outputs by formula. */
    @FunctionalInterface
    public interface MultiOutputBackwardFunction {
        /**
         * Runs the formula.
         *
         * @param gradients the gradients of the segment's outputs; null for an unused output
         * @param kept the forward results after the outputs
         */
        void run(List<@Nullable Tensor> gradients, List<Tensor> kept);
    }

    private sealed interface Segment {
        /** The operation and layer that its time belongs to. */
        @Nullable
        Object place();
    }

    private record Graph(
            List<Tensor> outputs,
            List<Tensor> leaves,
            @Nullable Object place) implements Segment {}

    private record Formula(
            List<Tensor> leaves,
            List<Tensor> kept,
            MultiOutputBackwardFunction backward,
            @Nullable Object place) implements Segment {}

    /** @param dropout where the masks stood before it ran */
    private record Recomputed(List<Tensor> leaves, Function<Tape, Tensor[]> part, long dropout) implements Segment {
        @Override
        public @Nullable Object place() {
            return null;
        }
    }

    private final Deque<Segment> segments = new ArrayDeque<>();

    /** Runs a segment. Its tensors are freed, except its outputs and those that their gradient needs. */
    public Tensor[] run(ForwardFunction forward) {
        Object place = Profiler.place();
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
                segments.push(new Graph(recorded, theirs, place));
            }
            return leaves;
        }
    }

    /**
     * Runs a segment without recording it. Its first result is the output; the others are kept for the formula of its gradient.
     */
    public Tensor run(ForwardFunction forward, BackwardFunction backward) {
        return run(1, forward, (gradients, kept) -> {
            Tensor gradient = gradients.get(0);
            if (gradient != null) {
                backward.run(gradient, kept);
            }
        })[0];
    }

    /**
     * Runs a segment without recording it. Its first results are the outputs; the others are kept for the formula of its gradient.
     */
    public Tensor[] run(int outputs, ForwardFunction forward, MultiOutputBackwardFunction backward) {
        Object place = Profiler.place();
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
            segments.push(new Formula(List.of(leaves), kept, backward, place));
            return leaves;
        }
    }

    private static Tensor[] timed(ForwardFunction forward, @Nullable Object place) {
        Profiler.Mark mark = Profiler.mark(place, false);
        Tensor[] results = forward.run();
        if (mark != null) {
            mark.end();
        }
        return results;
    }

    /**
     * Runs a part of the network and keeps only its results (gradient checkpointing). The backward pass runs it again with the same dropout.
     *
     * @param part records its segments on the tape that it receives
     */
    public Tensor[] checkpoint(Function<Tape, Tensor[]> part) {
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
                segments.push(new Recomputed(leaves, part, dropout));
            }
            return leaves.toArray(Tensor[]::new);
        }
    }

    private static void backward(Recomputed recomputed) {
        List<@Nullable Tensor> gradients = new ArrayList<>();
        recomputed.leaves.forEach(leaf -> gradients.add(gradient(leaf)));
        if (gradients.stream().anyMatch(gradient -> gradient != null)) {
            long dropout = Dropout.state();
            Dropout.state(recomputed.dropout);
            Tape tape = new Tape();
            Profiler.recomputing(true);
            Tensor[] results = recomputed.part.apply(tape);
            Profiler.recomputing(false);
            Dropout.state(dropout);
            backward(List.of(results), gradients);
            tape.backward();
        }
        recomputed.leaves.stream().filter(Tensor::requires_grad).forEach(Tensor::close);
    }

    /** Frees the values of an output of which only the gradient is still needed. */
    public static void freeValues(Tensor leaf) {
        leaf.set_data(Tensors.empty(leaf.scalar_type(), 0));
    }

    /** Runs the backward pass through all segments, from the gradients accumulated in their outputs. */
    public void backward() {
        while (!segments.isEmpty()) {
            Segment segment = segments.pop();
            Profiler.Mark mark = Profiler.mark(segment.place(), true);
            try (Scope scope = new Scope()) {
                if (segment instanceof Graph graph) {
                    backward(graph);
                } else if (segment instanceof Recomputed recomputed) {
                    backward(recomputed);
                } else if (segment instanceof Formula formula) {
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
            leaf.mutable_grad().put(FusedOps.cast(gradient, leaf.scalar_type()));
        } else {
            FusedOps.addTo(already, gradient);
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
        Products.addProduct(already, a, b);
    }

    /** Returns the gradient of a leaf so far, or null. */
    public static @Nullable Tensor gradient(Tensor leaf) {
        Tensor gradient = leaf.grad();
        return gradient.defined() ? gradient : null;
    }
}
