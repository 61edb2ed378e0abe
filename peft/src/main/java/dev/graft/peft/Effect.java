package dev.graft.peft;

import dev.graft.models.sites.Affine;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.PromptTargets;
import dev.graft.tensor.ops.LowRankFactors;
import java.util.List;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The effect of an adapter at one site. Forward passes, merging, mixed batches and strengths are implemented once for each kind of effect, so a
 * method only defines its formula.
 */
public sealed interface Effect {
    /** Returns whether its effect on a row depends on the other rows of the batch, as none should. */
    default boolean mixesRows() {
        return false;
    }

    /** Returns whether it precedes a text and is the same for every row of a batch of any size. */
    default boolean isCommonPrefix() {
        return false;
    }

    /** {@code y = W x + b + f(x)} on a linear layer, a convolution or an embedding. */
    non-sealed interface Delta extends Effect {
        /** Returns f(x), of the layer's output shape, for the layer's input x. */
        Tensor apply(Tensor x, PassView pass);

        /** Returns f with its gradient by formula, or null if autograd must compute it. */
        default @Nullable ManualGradientDelta manualGradient() {
            return null;
        }

        /**
         * Returns ΔW with {@code f(x) = ΔW x + Δb}, {@code [out, in]} for a linear layer, or null if f isn't linear.
         */
        @Nullable
        Tensor weight();

        /**
         * Returns B and A with {@code ΔW = B A}, with a row of B for each output; null if the update has no factors or isn't linear.
         */
        default @Nullable Factors factors() {
            return null;
        }

        /**
         * Returns factors with {@code ΔW = s · B A} from tensors that the adapter owns; null if new tensors would be necessary.
         */
        default @Nullable LowRankFactors scaledFactors() {
            return null;
        }

        /** Returns Δb, or null for none. */
        default @Nullable Tensor bias() {
            return null;
        }
    }

    /**
     * A {@link Delta} on rows whose gradient is a formula. One object serves one forward pass and its backward pass.
     */
    interface ManualGradientDelta {
        /**
         * Returns f(x) for x {@code [rows, in]}, then the tensors that the gradient needs.
         *
         * @param sum the tensor to add f(x) to in place, {@code [rows, out]}; null for a new result
         */
        List<Tensor> forward(Tensor x, @Nullable Tensor sum);

        /** Returns the number of tensors that {@link #forward} returns after f(x). */
        int kept();

        /**
         * Adds to the gradients of its parameters, and in place to that of x.
         *
         * @param gradient the gradient of y, {@code [rows, out]}
         * @param kept the tensors that {@link #forward} returned after f(x)
         * @param dx {@code [rows, in]}, or null if it isn't needed
         */
        void backward(Tensor x, Tensor gradient, List<Tensor> kept, @Nullable Tensor dx);

        /** Returns whether it currently has a trained parameter. */
        default boolean trains() {
            return true;
        }
    }

    /** {@code y = g(W) x + h(b)} on a linear layer, a convolution or an embedding; h is the identity by default. */
    non-sealed interface Reweight extends Effect {
        /** g(W). */
        Tensor weight(Tensor weight);

        /** h(b). */
        default Tensor bias(Tensor bias) {
            return bias;
        }

        /** Computes {@code g(W) x + h(b)} from the layer with W and b. */
        Tensor apply(Affine inner, Tensor x, PassView pass);
    }

    /** {@code y = out ⊙ (W (in ⊙ x) + b)} on a linear layer or a convolution; both in any shape with that many values, null for ones. */
    record Scale(@Nullable Tensor in, @Nullable Tensor out) implements Effect {}

    /**
     * Replaced parameters of a linear layer, a convolution, an embedding or a norm, in the layout of checkpoints; null keeps the base's.
     */
    record Replace(@Nullable Tensor weight, @Nullable Tensor bias) implements Effect {}

    /** A removed normalisation: the norm returns its input. A {@link Bottleneck} still normalises. */
    record Skip() implements Effect {}

    /** An effect on the linear layer of each of a mixture's experts. */
    record EachExpert(IntFunction<Effect> of) implements Effect {}

    /** A changed output of an attention or feed-forward block. */
    non-sealed interface Bottleneck extends Effect {
        /**
         * Returns the tensor that is added to the residual in place of the block's output.
         *
         * @param residual {@code [batch, seq, hidden]}
         * @param output {@code [batch, seq, hidden]}
         * @param norm the normalisation after the addition in post-norm models, else the identity
         */
        Tensor apply(Tensor residual, Tensor output, UnaryOperator<Tensor> norm, PassView pass);
    }

    /**
     * Keys and values before an attention layer's own.
     *
     * @param length the number of keys
     * @param keyValues returns {@code [2, length, heads, headDim]}: keys, then values
     * @param shifts whether the positions of the tokens move by the prefix's length
     * @param dropout the probability that a value of a row's keys and values is dropped in training
     * @param gates returns the factors of each row's keys and values, {@code [2, rows, 1, 1, 1]}, for the attention layer's input
     *     {@code [rows, seq, hidden]}; null for none
     */
    record Prefix(
            long length,
            Function<PassView, Tensor> keyValues,
            boolean shifts,
            double dropout,
            @Nullable UnaryOperator<Tensor> gates)
            implements Effect {
        /** Creates a prefix that is equal for every row. */
        public Prefix(long length, Function<PassView, Tensor> keyValues, boolean shifts) {
            this(length, keyValues, shifts, 0, null);
        }

        @Override
        public boolean isCommonPrefix() {
            return dropout == 0 && gates == null;
        }
    }

    /** {@code attention(q, k, v) + f(q)} before the output projection of an attention layer. */
    non-sealed interface Attend extends Effect {
        /**
         * Returns f(q).
         *
         * @param queries {@code [batch, heads, seq, headDim]}, rotated by their positions
         * @return {@code [batch, seq, heads · headDim]}
         */
        Tensor apply(Tensor queries, PassView pass);
    }

    /**
     * Rows before the token embeddings.
     *
     * @param length the number of rows
     * @param rows returns {@code [length, hidden]}
     * @param targets the training targets of a causal model at the rows
     * @param inside whether they follow the text's first position; possible only where the residual stream enters the first layer
     */
    record Prompt(int length, Function<PassView, Tensor> rows, PromptTargets targets, boolean inside)
            implements Effect {
        /** Creates rows before the text. */
        public Prompt(int length, Function<PassView, Tensor> rows, PromptTargets targets) {
            this(length, rows, targets, false);
        }

        /** Creates rows without training targets. */
        public Prompt(int length, Function<PassView, Tensor> rows) {
            this(length, rows, PromptTargets.none(length));
        }

        @Override
        public boolean isCommonPrefix() {
            return !inside && targets.areNone();
        }
    }

    /** Changed hidden states after a layer, or where the residual stream enters the first one. */
    non-sealed interface Intervene extends Effect {
        /**
         * Returns the changed hidden states.
         *
         * @param hidden {@code [batch, seq, hidden]}
         * @param mask {@code [batch, seq]} int64, 0 for padding
         * @param earlier the number of positions in the cache, without padding, {@code [batch, 1]} int64; null without a cache or if it is empty
         */
        Tensor apply(Tensor hidden, Tensor mask, @Nullable Tensor earlier, PassView pass);

        /** Reverses {@link #apply} on the stream into the first layer; returns it unchanged if that is impossible. */
        default Tensor undo(Tensor hidden) {
            return hidden;
        }
    }
}
