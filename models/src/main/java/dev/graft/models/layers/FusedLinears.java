package dev.graft.models.layers;

import dev.graft.models.functions.Activation;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.ManualGradient;
import dev.graft.models.sites.Norm;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.FusedOps;
import dev.graft.tensor.ops.Tape;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Linear layers on the same x {@code [batch, seq, in]} as one segment of a tape without a gradient graph. Their gradients of x are summed in
 * their products. A cheap computation of x is repeated in the backward pass instead of kept.
 */
record FusedLinears(List<ManualGradient> layers) {
    /** Returns the adapted layers, or null if the gradient of one isn't a formula. */
    static @Nullable FusedLinears of(Hooks hooks, Linear... sites) {
        List<ManualGradient> layers = new ArrayList<>();
        for (Linear site : sites) {
            Affine layer = hooks.affine(site);
            ManualGradient manualGradient = layer == null ? null : layer.manualGradient();
            if (manualGradient == null) {
                return null;
            }
            layers.add(manualGradient);
        }
        return new FusedLinears(layers);
    }

    /** The input of layers, {@code [batch, seq, in]}; it is computed again in the backward pass. */
    sealed interface LayerInput {
        Tensor made();

        /** Adds the gradient to those of the tensors that the input is computed from. */
        void accumulate(Tensor gradient);

        /** Returns whether its gradient is needed. */
        boolean needsGradient();
    }

    /** x itself. */
    record Plain(Tensor x) implements LayerInput {
        @Override
        public Tensor made() {
            return x;
        }

        @Override
        public void accumulate(Tensor gradient) {
            Tape.accumulate(x, gradient);
        }

        @Override
        public boolean needsGradient() {
            return x.requires_grad();
        }
    }

    /** A root-mean-square norm of h {@code [batch, seq, hidden]} in another type. */
    record Normed(Norm norm, Tensor h, ScalarType type) implements LayerInput {
        @Override
        public Tensor made() {
            return RmsNorm.apply(norm, h, type);
        }

        @Override
        public void accumulate(Tensor gradient) {
            RmsNorm.backward(norm, h, gradient);
        }

        @Override
        public boolean needsGradient() {
            return h.requires_grad();
        }
    }

    /** {@code activation(gate) ⊙ up}, or {@code activation(gate)} if up is null. */
    record Gated(
            Activation activation, Tensor gate, @Nullable Tensor up) implements LayerInput {
        @Override
        public Tensor made() {
            return activation.gate(gate, up);
        }

        @Override
        public void accumulate(Tensor gradient) {
            Tensor[] back = activation.gradients(gate, up, gradient);
            Tape.accumulate(gate, back[0]);
            if (up != null) {
                Tape.accumulate(up, back[1]);
            }
        }

        @Override
        public boolean needsGradient() {
            return gate.requires_grad();
        }
    }

    /** Returns the outputs, {@code [batch, seq, out]} each. */
    Tensor[] run(Tape tape, LayerInput input) {
        if (!input.needsGradient() && !trains()) {
            return tape.run(() -> forward(input.made()).toArray(Tensor[]::new));
        }
        return tape.run(
                layers.size(),
                () -> forward(input.made()).toArray(Tensor[]::new),
                (gradients, kept) -> backward(input, gradients, kept));
    }

    /**
     * Returns h {@code [batch, seq, hidden]} plus the output of the only layer, rounded once in the type of h. Records no gradient without a
     * tape.
     */
    Tensor addTo(Tensor h, @Nullable Tape tape, LayerInput input) {
        if (tape == null) {
            return sum(h, input)[0];
        }
        if (!input.needsGradient() && !trains()) {
            return tape.run(() -> new Tensor[] {sum(h, input)[0]})[0];
        }
        return tape.run(1, () -> sum(h, input), (gradients, kept) -> {
            backward(input, gradients, kept);
            Tensor gradient = gradients.get(0);
            if (gradient != null && h.requires_grad()) {
                Tape.accumulate(h, gradient);
            }
        })[0];
    }

    private Tensor[] sum(Tensor h, LayerInput input) {
        Tensor sum = h.detach().clone();
        List<Tensor> results = new ArrayList<>(layers.get(0).forward(rows(input.made()), rows(sum)));
        results.set(0, sum);
        return results.toArray(Tensor[]::new);
    }

    /** Returns whether a layer has trained parameters. */
    boolean trains() {
        return layers.stream().anyMatch(ManualGradient::trains);
    }

    /** The answers, {@code [batch, seq, out]} each, and behind them what each layer keeps. */
    private List<Tensor> forward(Tensor x) {
        Tensor rows = rows(x);
        List<Tensor> answers = new ArrayList<>();
        List<Tensor> kept = new ArrayList<>();
        for (ManualGradient layer : layers) {
            List<Tensor> results = layer.forward(rows, null);
            Tensor answer = results.get(0);
            answers.add(answer.view(x.size(0), x.size(1), answer.size(1)));
            kept.addAll(results.subList(1, results.size()));
        }
        answers.addAll(kept);
        return answers;
    }

    /** Adds to the gradients of the layers' parameters and of what the input is made of. */
    private void backward(LayerInput input, List<@Nullable Tensor> gradients, List<Tensor> kept) {
        Tensor x = input.made();
        Tensor rows = rows(x);
        Tensor dx = null;
        int start = 0;
        for (int i = 0; i < layers.size(); i++) {
            ManualGradient layer = layers.get(i);
            List<Tensor> own = kept.subList(start, start + layer.savedCount());
            start += layer.savedCount();
            Tensor gradient = gradients.get(i);
            if (gradient != null) {
                Tensor its = FusedOps.cast(rows(gradient), x.scalar_type());
                dx = layer.backward(rows, its, own, input.needsGradient(), dx);
            }
        }
        if (dx != null) {
            input.accumulate(dx.view(Tensors.shape(x)));
        }
    }

    private static Tensor rows(Tensor x) {
        return x.reshape(-1, x.size(2));
    }
}
