package dev.graft.peft;

import dev.graft.models.Pass;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.PromptTargets;
import dev.graft.peft.inits.Factors;
import dev.graft.tensor.ScaledFactors;
import java.util.List;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What an adapter does at one site. Forward passes, merging, mixed batches and strengths are written once for each kind of effect, so a
 * method only states its formula.
 */
public sealed interface Effect {
    /** Whether what it does to a row depends on the other rows of the batch, as nothing should. */
    default boolean mixesRows() {
        return false;
    }

    /** Whether it stands before a text and is the same for every row of a batch, however many there are. */
    default boolean isBeforeAll() {
        return false;
    }

    /** {@code y = W x + b + f(x)} on a linear layer, a convolution or an embedding. */
    non-sealed interface Delta extends Effect {
        /** f(x): x and the result are what the layer takes and gives. */
        Tensor apply(Tensor x, Pass pass);

        /** f with its gradient by formula, or null where autograd must find it. */
        default @Nullable ExplicitDelta explicit() {
            return null;
        }

        /** ΔW with {@code f(x) = ΔW x + Δb}, or null if f isn't linear. */
        @Nullable
        Tensor weight();

        /** B and A with {@code ΔW = B A}, one row for each output, or null where the update has none or isn't linear. */
        default @Nullable Factors factors() {
            return null;
        }

        /** The same, {@code ΔW = s · B A}, by tensors that the adapter holds; null where they would have to be made. */
        default @Nullable ScaledFactors held() {
            return null;
        }

        /** Δb, or null for none. */
        default @Nullable Tensor bias() {
            return null;
        }
    }

    /** A {@link Delta} on rows whose gradient is known by formula. An object is asked for one forward pass and its backward pass. */
    interface ExplicitDelta {
        /**
         * f(x) for x {@code [rows, in]}, and behind it what the gradient needs.
         *
         * @param sum what f(x) is added to in place, {@code [rows, out]}; null for nothing, and f(x) is new
         */
        List<Tensor> forward(Tensor x, @Nullable Tensor sum);

        /** How many tensors {@link #forward} gives behind f(x). */
        int kept();

        /**
         * Adds to the gradients of its parameters, and in place to that of x.
         *
         * @param gradient of y, {@code [rows, out]}
         * @param dx {@code [rows, in]}, or null if it isn't wanted
         */
        void backward(Tensor x, Tensor gradient, List<Tensor> kept, @Nullable Tensor dx);

        /** Whether it has a parameter that learns at present. */
        default boolean trains() {
            return true;
        }
    }

    /** {@code y = g(W) x + h(b)} on a linear layer, a convolution or an embedding; h is the identity where nothing is said. */
    non-sealed interface Reweight extends Effect {
        /** g(W). */
        Tensor weight(Tensor weight);

        /** h(b). */
        default Tensor bias(Tensor bias) {
            return bias;
        }

        /** {@code g(W) x + h(b)}, given the layer that has W and b. */
        Tensor apply(Affine inner, Tensor x, Pass pass);
    }

    /** {@code y = out ⊙ (W (in ⊙ x) + b)} on a linear layer or a convolution; both in any shape with that many values, null for ones. */
    record Scale(@Nullable Tensor in, @Nullable Tensor out) implements Effect {}

    /**
     * Other values for the parameters of a linear layer, a convolution, an embedding or a norm, as checkpoints hold them; null keeps the
     * base's.
     */
    record Replace(@Nullable Tensor weight, @Nullable Tensor bias) implements Effect {}

    /** No normalisation: what goes into a norm comes out of it. What a {@link Bottleneck} is given still normalises. */
    record Skip() implements Effect {}

    /** An effect on the linear layer of each of a mixture's experts. */
    record EachExpert(IntFunction<Effect> of) implements Effect {}

    /** Another output of an attention or feed-forward block. */
    non-sealed interface Bottleneck extends Effect {
        /**
         * What is added to the residual in place of the block's output.
         *
         * @param residual {@code [batch, seq, hidden]}
         * @param output {@code [batch, seq, hidden]}
         * @param norm the normalisation after the addition in post-norm models, else the identity
         */
        Tensor apply(Tensor residual, Tensor output, UnaryOperator<Tensor> norm, Pass pass);
    }

    /**
     * Keys and values before an attention layer's own.
     *
     * @param length how many there are
     * @param keyValues gives {@code [2, length, heads, headDim]}: keys, then values
     * @param shifts whether the positions of the tokens move by the prefix's length
     * @param dropout probability that a value of a row's keys and values is dropped in training
     * @param gates what keys and values of each row are multiplied by, {@code [2, rows, 1, 1, 1]}, given the attention layer's input
     *     {@code [rows, seq, hidden]}; null for none
     */
    record Prefix(
            long length,
            Function<Pass, Tensor> keyValues,
            boolean shifts,
            double dropout,
            @Nullable UnaryOperator<Tensor> gates)
            implements Effect {
        /** The same for every row. */
        public Prefix(long length, Function<Pass, Tensor> keyValues, boolean shifts) {
            this(length, keyValues, shifts, 0, null);
        }

        @Override
        public boolean isBeforeAll() {
            return dropout == 0 && gates == null;
        }
    }

    /** {@code attention(q, k, v) + f(q)} before the output projection of an attention layer. */
    non-sealed interface Attend extends Effect {
        /**
         * f(q).
         *
         * @param queries {@code [batch, heads, seq, headDim]}, turned by their positions
         * @return {@code [batch, seq, heads · headDim]}
         */
        Tensor apply(Tensor queries, Pass pass);
    }

    /**
     * Rows before the token embeddings.
     *
     * @param length how many there are
     * @param rows gives {@code [length, hidden]}
     * @param targets what a causal model should predict at the rows while it trains
     * @param inside whether they come behind the text's first position, as they may where the residual stream enters the first layer
     */
    record Prompt(int length, Function<Pass, Tensor> rows, PromptTargets targets, boolean inside) implements Effect {
        /** Rows before the text. */
        public Prompt(int length, Function<Pass, Tensor> rows, PromptTargets targets) {
            this(length, rows, targets, false);
        }

        /** Rows at which nothing is predicted. */
        public Prompt(int length, Function<Pass, Tensor> rows) {
            this(length, rows, PromptTargets.none(length));
        }

        @Override
        public boolean isBeforeAll() {
            return !inside && targets.areNone();
        }
    }

    /** Other hidden states after a layer, or where the residual stream enters the first one. */
    non-sealed interface Intervene extends Effect {
        /**
         * The hidden states to go on with.
         *
         * @param hidden {@code [batch, seq, hidden]}
         * @param mask {@code [batch, seq]} int64, 0 for padding
         * @param earlier {@code [batch, 1]} int64: how many positions that aren't padding a cache holds already; null without a cache or
         *     where it is empty
         */
        Tensor apply(Tensor hidden, Tensor mask, @Nullable Tensor earlier, Pass pass);

        /** What the residual stream's entry became by {@link #apply}, undone; as it is where that can't be. */
        default Tensor undo(Tensor hidden) {
            return hidden;
        }
    }
}
