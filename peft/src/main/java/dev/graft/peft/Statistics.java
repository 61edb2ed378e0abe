package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Site;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.Collection;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.pytorch.AutoGradMode;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Statistics of a frozen base at its linear layers from calibration batches: the inputs, and the gradients of the weights. They are collected on
 * first use, once for all watched layers. Layers with the same input, such as queries, keys and values, share its statistics.
 */
public final class Statistics implements AutoCloseable {
    private final CalibrationBatches calibration;
    private final Map<Linear, Linear> sameInput = new IdentityHashMap<>();
    private final Map<Linear, Moments> moments = new IdentityHashMap<>();
    private final Map<Linear, Components> components = new IdentityHashMap<>();
    private final Map<Linear, Tensor> gradients = new IdentityHashMap<>();
    private boolean gathered;

    Statistics(CalibrationBatches calibration) {
        this.calibration = calibration;
    }

    /** Sums over the inputs of a layer, in fp64: {@code Σ x xᵀ [in, in]}, {@code Σ x [in]}, how many. */
    private static final class Moments {
        private final Tensor products;
        private final Tensor sum;
        private long count;

        private Moments(long in) {
            products = kept(Tensors.zeros(ScalarType.Double, in, in));
            sum = kept(Tensors.zeros(ScalarType.Double, in));
        }

        private void add(Tensor rows) {
            Tensor x = Ops.to(rows, ScalarType.Double);
            products.add_(x.t().matmul(x));
            sum.add_(Ops.sum(x, 0, false));
            count += x.size(0);
        }
    }

    /**
     * The principal components of a layer's inputs minus their mean.
     *
     * @param vectors one in each row, the strongest first, {@code [in, in]} fp32; the largest entry of each is positive
     * @param energies the sums of squares of the inputs along them, {@code [in]} fp64
     */
    public record Components(Tensor vectors, Tensor energies) {}

    private static Tensor kept(Tensor tensor) {
        tensor.retainReference();
        return tensor;
    }

    /** Registers layers for later queries. */
    public void watch(Collection<? extends Site> sites) {
        for (Site site : sites) {
            if (site instanceof Linear linear) {
                sameInput.putIfAbsent(linear, linear);
            }
        }
    }

    /** Returns the mean of a layer's inputs, {@code [in]} fp64. */
    public Tensor mean(Linear site) {
        Moments seen = moments(site, false);
        return Ops.scale(seen.sum, 1.0 / seen.count);
    }

    /** Returns the mean of {@code x xᵀ} over a layer's inputs, {@code [in, in]} fp64. */
    public Tensor secondMoment(Linear site) {
        Moments seen = moments(site, false);
        return Ops.scale(seen.products, 1.0 / seen.count);
    }

    /**
     * Returns the principal components of a layer's inputs.
     *
     * @param labelled whether only positions with a label count
     */
    public Components components(Linear site, boolean labelled) {
        Moments seen = moments(site, labelled);
        return components.computeIfAbsent(first(site), s -> {
            try (NoGrad noGrad = new NoGrad();
                    Scope scope = new Scope()) {
                Tensor mean = Ops.scale(seen.sum, 1.0 / seen.count);
                Tensor centred = seen.products.sub(Ops.scale(mean.outer(mean), seen.count));
                T_TensorTensor_T eigen = torch.linalg_eigh(centred);
                Tensor energies = eigen.get0().flip(0).clamp_min(new org.bytedeco.pytorch.Scalar(0.0));
                Tensor vectors = eigen.get1().t().flip(0);
                Tensor largest = vectors.gather(1, Ops.argmax(vectors.abs(), 1).unsqueeze(1));
                return new Components(
                        scope.release(Ops.to(vectors.mul(largest.sign()), ScalarType.Float)), scope.release(energies));
            }
        });
    }

    /**
     * Returns the gradient of the mean loss with respect to a layer's weight, {@code [out, in]} fp32, averaged over batches.
     */
    public Tensor gradient(Linear site) {
        if (gradients.isEmpty()) {
            sameInput
                    .keySet()
                    .forEach(watched -> gradients.put(
                            watched,
                            kept(Tensors.zeros(ScalarType.Float, watched.out(), watched.in())
                                    .set_requires_grad(true))));
            int batches = backward();
            try (NoGrad noGrad = new NoGrad();
                    Scope scope = new Scope()) {
                gradients.replaceAll((layer, probe) -> {
                    if (!probe.grad().defined()) {
                        throw new InputException(layer.name() + " has no gradient in the calibration batches");
                    }
                    Tensor mean = scope.release(Ops.scale(probe.grad(), 1.0 / batches));
                    probe.close();
                    return mean;
                });
            }
        }
        Tensor gradient = gradients.get(site);
        if (gradient == null) {
            throw new IllegalStateException(site.name() + " wasn't watched");
        }
        return gradient;
    }

    /** Accumulates the gradient of each weight on a matrix of zeros beside it. */
    private int backward() {
        try (AutoGradMode on = new AutoGradMode(true)) {
            return calibration.backward(new Observer() {
                @Override
                Tensor watched(Linear layer, Tensor x, Tensor y) {
                    Tensor probe = Objects.requireNonNull(gradients.get(layer), layer.name());
                    Tensor nothing = Ops.linear(Ops.to(x, ScalarType.Float), probe, null);
                    return y.add(Ops.to(nothing, y.scalar_type()));
                }
            });
        }
    }

    private Linear first(Linear site) {
        Linear first = sameInput.get(site);
        if (first == null) {
            throw new IllegalStateException(site.name() + " wasn't watched");
        }
        return first;
    }

    private Moments moments(Linear site, boolean labelled) {
        if (!gathered) {
            gathered = true;
            calibration.forward(labelled, InputObserver::new);
        }
        Moments seen = moments.get(first(site));
        if (seen == null || seen.count < 2) {
            throw new InputException("the calibration batches show no inputs of " + site.name()
                    + (labelled ? " at positions with a label" : ""));
        }
        return seen;
    }

    /** Hooks that observe the inputs of the watched layers. */
    private abstract class Observer implements Hooks {
        abstract Tensor watched(Linear layer, Tensor x, Tensor y);

        @Override
        public Tensor linear(Linear layer, Tensor x, PassView pass) {
            Tensor y = layer.apply(x, pass);
            return sameInput.containsKey(layer) ? watched(layer, x, y) : y;
        }

        @Override
        public boolean isFrozen(Site site) {
            return !(site instanceof Linear linear && sameInput.containsKey(linear));
        }
    }

    /** Sums up the inputs of one batch. */
    private final class InputObserver extends Observer {
        private final Tensor mask;
        private @Nullable Linear last;
        private @Nullable Tensor lastInput;

        private InputObserver(Tensor mask) {
            this.mask = mask;
        }

        @Override
        Tensor watched(Linear layer, Tensor x, Tensor y) {
            if (last != null && lastInput == x) {
                sameInput.put(layer, first(last));
            } else if (sameInput.get(layer) == layer) {
                moments.computeIfAbsent(layer, l -> new Moments(l.in())).add(rows(x));
            }
            last = layer;
            lastInput = x;
            return y;
        }

        /** The inputs at positions that count; all of them at layers that see one row for a sequence. */
        private Tensor rows(Tensor x) {
            Tensor rows = x.reshape(-1, x.size(x.dim() - 1));
            boolean positions = x.dim() == 3 && x.size(0) == mask.size(0) && x.size(1) == mask.size(1);
            return positions ? rows.index_select(0, mask.reshape(-1).nonzero().reshape(-1)) : rows;
        }
    }

    @Override
    public void close() {
        moments.values().forEach(seen -> {
            seen.products.close();
            seen.sum.close();
        });
        components.values().forEach(found -> {
            found.vectors.close();
            found.energies.close();
        });
        gradients.values().forEach(Tensor::close);
    }
}
