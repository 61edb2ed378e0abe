package dev.graft.eval.weights;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Examples;
import dev.graft.train.loss.LossFunction;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * AdapterSoup (Chronopoulou et al., 2023): the uniform average of the adapters whose training texts are most similar to the texts of a new
 * domain. Similarity is the cosine of the mean text vectors. A text vector is the mean of the frozen base's last hidden states; the paper
 * uses a separate sentence encoder.
 *
 * <pre>{@code
 * AdapterSoup.SoupWeights chosen = new AdapterSoup(2).choose(base, fresh, List.of(news, law, sport), 8);
 * }</pre>
 *
 * @param size the number of adapters to average
 */
public record AdapterSoup(int size) {
    public AdapterSoup {
        if (size < 1) {
            throw new InputException("a soup of " + size + " adapters is asked for, expected at least 1");
        }
    }

    /**
     * The chosen weights.
     *
     * @param weights 1 / size for chosen adapters, else 0
     * @param similarities the similarity of each adapter's texts to the new ones
     */
    public record SoupWeights(List<Double> weights, List<Double> similarities) {}

    /**
     * Chooses adapters.
     *
     * @param fresh texts of the new domain
     * @param trained for each adapter, texts that it was trained on
     * @throws InputException if there are fewer adapters than {@code size}
     */
    public SoupWeights choose(Base base, Examples fresh, List<Examples> trained, int batchSize) {
        if (size > trained.size()) {
            throw new InputException("a soup of " + size + " adapters is asked for, there are " + trained.size());
        }
        double[] wanted = centred(base, fresh, batchSize);
        List<Double> likeness = trained.stream()
                .map(texts -> cosine(wanted, centred(base, texts, batchSize)))
                .toList();
        List<Integer> chosen = IntStream.range(0, trained.size())
                .boxed()
                .sorted(Comparator.comparing((Integer i) -> -likeness.get(i)))
                .limit(size)
                .toList();
        List<Double> weights = new ArrayList<>();
        for (int i = 0; i < trained.size(); i++) {
            weights.add(chosen.contains(i) ? 1.0 / size : 0);
        }
        return new SoupWeights(List.copyOf(weights), likeness);
    }

    /** The mean of the texts, {@code [hidden]}. */
    private static double[] centred(Base base, Examples texts, int batchSize) {
        double[] sum = new double[base.backbone().outputSize()];
        for (int start = 0; start < texts.size(); start += batchSize) {
            int[] some = IntStream.range(start, Math.min(start + batchSize, texts.size()))
                    .toArray();
            try (NoGrad noGrad = new NoGrad();
                    Scope scope = new Scope()) {
                Batch batch = texts.batch(some, 0);
                Tensor hidden = Ops.to(
                        base.forward(LossFunction.inputs(batch), ForwardPass.inference(Hooks.NONE))
                                .last(),
                        ScalarType.Double);
                Tensor mask = Ops.to(Tensors.of(batch.attentionMask(), batch.rows(), batch.width()), ScalarType.Double);
                Tensor means = Ops.sum(hidden.mul(mask.unsqueeze(-1)), 1, false).div(Ops.sum(mask, 1, true));
                double[] own = Tensors.doubles(Ops.sum(means, 0, false));
                for (int i = 0; i < sum.length; i++) {
                    sum[i] += own[i];
                }
            }
        }
        return sum;
    }

    private static double cosine(double[] a, double[] b) {
        double product = 0;
        double first = 0;
        double second = 0;
        for (int i = 0; i < a.length; i++) {
            product += a[i] * b[i];
            first += a[i] * a[i];
            second += b[i] * b[i];
        }
        return product / Math.sqrt(first * second);
    }
}
