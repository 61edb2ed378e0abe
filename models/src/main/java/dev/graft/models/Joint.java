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
                () -> {
                    Tensor[] normed = RmsNorm.forward(norm, h, type);
                    List<Tensor> results = forward(normed[0]);
                    results.add(normed[1]);
                    return results.toArray(Tensor[]::new);
                },
                (gradients, kept) -> {
                    int last = kept.size() - 1;
                    Tensor r = kept.get(last);
                    Tensor x = RmsNorm.apply(norm, h, r, type);
                    Tensor dx = backward(x, gradients, kept.subList(0, last), true);
                    if (dx != null) {
                        RmsNorm.backward(norm, h, r, dx);
                    }
                });
    }

    /** On {@code activation(gate) ⊙ up}, or on {@code activation(gate)} where up is null. */
    Tensor[] gated(Tape tape, Activation activation, Tensor gate, @Nullable Tensor up) {
        return tape.run(
                layers.size(),
                () -> {
                    Tensor x = activation.apply(gate);
                    return forward(up == null ? x : x.mul_(up)).toArray(Tensor[]::new);
                },
                (gradients, kept) -> {
                    Tensor active = activation.apply(gate);
                    Tensor x = up == null ? active : active.mul(up);
                    Tensor dx = backward(x, gradients, kept, true);
                    if (dx == null) {
                        return;
                    }
                    if (up != null) {
                        Tape.accumulate(up, active.mul_(dx));
                        dx.mul_(up);
                    }
                    Tape.accumulate(gate, activation.gradient(gate, dx));
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
