package dev.graft.models;

import dev.graft.models.sites.Explicit;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** Linear layers on the same x {@code [batch, seq, in]}: their gradients of x are summed in their products. */
final class Joint {
    private Joint() {}

    /** The answers, {@code [batch, seq, out]} each, and behind them what each layer keeps. */
    static List<Tensor> forward(List<Explicit> layers, Tensor x) {
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
    static @Nullable Tensor backward(
            List<Explicit> layers, Tensor x, List<@Nullable Tensor> gradients, List<Tensor> kept, boolean wanted) {
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
