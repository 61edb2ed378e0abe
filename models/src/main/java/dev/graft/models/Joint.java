package dev.graft.models;

import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Explicit;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.tensor.Fused;
import dev.graft.tensor.Tape;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Linear layers on the same x {@code [batch, seq, in]} as one piece of a tape without a gradient graph: their gradients of x are summed in
 * their products, and what makes x cheaply is done again in the backward pass.
 */
record Joint(List<Explicit> layers) {
    /** The layers with what acts on them, or null where the gradient of one isn't a formula. */
    static @Nullable Joint of(Hooks hooks, Linear... sites) {
        List<Explicit> layers = new ArrayList<>();
        for (Linear site : sites) {
            Affine layer = hooks.affine(site);
            Explicit explicit = layer == null ? null : layer.explicit();
            if (explicit == null) {
                return null;
            }
            layers.add(explicit);
        }
        return new Joint(layers);
    }

    /** What layers are applied to, {@code [batch, seq, in]}; it is made again in the backward pass. */
    sealed interface Input {
        Tensor made();

        /** Adds to the gradients of what it is made of. */
        void accumulate(Tensor gradient);

        /** Whether its gradient is wanted. */
        boolean learns();
    }

    /** x itself. */
    record Plain(Tensor x) implements Input {
        @Override
        public Tensor made() {
            return x;
        }

        @Override
        public void accumulate(Tensor gradient) {
            Tape.accumulate(x, gradient);
        }

        @Override
        public boolean learns() {
            return x.requires_grad();
        }
    }

    /** A root-mean-square norm of h {@code [batch, seq, hidden]} in another type. */
    record Normed(Norm norm, Tensor h, ScalarType type) implements Input {
        @Override
        public Tensor made() {
            return RmsNorm.apply(norm, h, type);
        }

        @Override
        public void accumulate(Tensor gradient) {
            RmsNorm.backward(norm, h, gradient);
        }

        @Override
        public boolean learns() {
            return h.requires_grad();
        }
    }

    /** {@code activation(gate) ⊙ up}, or {@code activation(gate)} where up is null. */
    record Gated(
            Activation activation, Tensor gate, @Nullable Tensor up) implements Input {
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
        public boolean learns() {
            return gate.requires_grad();
        }
    }

    /** The answers, {@code [batch, seq, out]} each. */
    Tensor[] run(Tape tape, Input input) {
        if (!input.learns() && !trains()) {
            return tape.run(() -> forward(input.made()).toArray(Tensor[]::new));
        }
        return tape.run(
                layers.size(),
                () -> forward(input.made()).toArray(Tensor[]::new),
                (gradients, kept) -> backward(input, gradients, kept));
    }

    /** h {@code [batch, seq, hidden]} and the answer of the only layer, which is rounded in the type of h alone; without a tape no gradient is recorded. */
    Tensor addedTo(Tensor h, @Nullable Tape tape, Input input) {
        if (tape == null) {
            return sum(h, input)[0];
        }
        if (!input.learns() && !trains()) {
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

    private Tensor[] sum(Tensor h, Input input) {
        Tensor sum = h.detach().clone();
        List<Tensor> results = new ArrayList<>(layers.get(0).forward(rows(input.made()), rows(sum)));
        results.set(0, sum);
        return results.toArray(Tensor[]::new);
    }

    /** Whether parameters of a layer are trained. */
    boolean trains() {
        return layers.stream().anyMatch(Explicit::trains);
    }

    /** The answers, {@code [batch, seq, out]} each, and behind them what each layer keeps. */
    private List<Tensor> forward(Tensor x) {
        Tensor rows = rows(x);
        List<Tensor> answers = new ArrayList<>();
        List<Tensor> kept = new ArrayList<>();
        for (Explicit layer : layers) {
            List<Tensor> results = layer.forward(rows, null);
            Tensor answer = results.get(0);
            answers.add(answer.view(x.size(0), x.size(1), answer.size(1)));
            kept.addAll(results.subList(1, results.size()));
        }
        answers.addAll(kept);
        return answers;
    }

    /** Adds to the gradients of the layers' parameters and of what the input is made of. */
    private void backward(Input input, List<@Nullable Tensor> gradients, List<Tensor> kept) {
        Tensor x = input.made();
        Tensor rows = rows(x);
        Tensor dx = null;
        int start = 0;
        for (int i = 0; i < layers.size(); i++) {
            Explicit layer = layers.get(i);
            List<Tensor> own = kept.subList(start, start + layer.kept());
            start += layer.kept();
            Tensor gradient = gradients.get(i);
            if (gradient != null) {
                Tensor its = Fused.cast(rows(gradient), x.scalar_type());
                dx = layer.backward(rows, its, own, input.learns(), dx);
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
