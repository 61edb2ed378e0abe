package dev.graft.models;

import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Explicit;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
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

    /** On x. */
    Tensor[] run(Tape tape, Tensor x) {
        boolean wanted = x.requires_grad();
        if (!wanted && layers.stream().noneMatch(Explicit::trains)) {
            return tape.run(() -> forward(x).toArray(Tensor[]::new));
        }
        return tape.run(layers.size(), () -> forward(x).toArray(Tensor[]::new), (gradients, kept) -> {
            Tensor dx = backward(x, gradients, kept, wanted);
            if (dx != null) {
                Tape.accumulate(x, dx);
            }
        });
    }

    /** On a root-mean-square norm of h {@code [batch, seq, hidden]} in another type. */
    Tensor[] normed(Tape tape, Norm norm, Tensor h, ScalarType type) {
        return tape.run(
                layers.size(),
                () -> forward(RmsNorm.apply(norm, h, type)).toArray(Tensor[]::new),
                (gradients, kept) -> {
                    Tensor dx = backward(RmsNorm.apply(norm, h, type), gradients, kept, true);
                    if (dx != null) {
                        RmsNorm.backward(norm, h, dx);
                    }
                });
    }

    /** On {@code activation(gate) ⊙ up}, or on {@code activation(gate)} where up is null. */
    Tensor[] gated(Tape tape, Activation activation, Tensor gate, @Nullable Tensor up) {
        return tape.run(
                layers.size(), () -> forward(activation.gate(gate, up)).toArray(Tensor[]::new), (gradients, kept) -> {
                    Tensor dx = backward(activation.gate(gate, up), gradients, kept, true);
                    if (dx == null) {
                        return;
                    }
                    Tensor[] back = activation.gradients(gate, up, dx);
                    Tape.accumulate(gate, back[0]);
                    if (up != null) {
                        Tape.accumulate(up, back[1]);
                    }
                });
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

    /**
     * Adds to the gradients of the layers' parameters.
     *
     * @return the gradient of x, or null if it isn't wanted
     */
    private @Nullable Tensor backward(Tensor x, List<@Nullable Tensor> gradients, List<Tensor> kept, boolean wanted) {
        Tensor rows = rows(x);
        Tensor dx = null;
        int start = 0;
        for (int i = 0; i < layers.size(); i++) {
            Explicit layer = layers.get(i);
            List<Tensor> own = kept.subList(start, start + layer.kept());
            start += layer.kept();
            Tensor gradient = gradients.get(i);
            if (gradient != null) {
                dx = layer.backward(rows, rows(gradient), own, wanted, dx);
            }
        }
        return dx == null ? null : dx.view(Tensors.shape(x));
    }

    private static Tensor rows(Tensor x) {
        return x.reshape(-1, x.size(2));
    }
}
