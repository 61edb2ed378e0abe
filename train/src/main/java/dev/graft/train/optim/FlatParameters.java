package dev.graft.train.optim;

import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * Trained parameters laid end to end in one vector, and their gradients in another: an optimiser step is then a few operations on long
 * vectors instead of a few on each of hundreds of small matrices. The parameters become views of the vector; autograd adds to the
 * gradient vector in place.
 */
public final class FlatParameters {
    private final Map<String, Tensor> parameters;
    private final Tensor values;
    private final Tensor gradients;
    private final List<Tensor> gradientViews = new ArrayList<>();

    /** Takes over the memory of the parameters, which must be leaves of one type. */
    public FlatParameters(Map<String, Tensor> parameters) {
        if (parameters.isEmpty()) {
            throw new IllegalArgumentException("there is nothing to train");
        }
        this.parameters = new LinkedHashMap<>(parameters);
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            List<Tensor> parts = new ArrayList<>();
            for (Tensor parameter : this.parameters.values()) {
                parts.add(parameter.detach().reshape(-1));
            }
            values = scope.release(Ops.cat(0, parts.toArray(Tensor[]::new)));
            gradients = scope.release(Tensors.zeros(values.scalar_type(), values.numel()));
            long start = 0;
            for (Tensor parameter : this.parameters.values()) {
                long size = parameter.numel();
                long[] shape = Tensors.shape(parameter);
                parameter.__dispatch_set_data(values.narrow(0, start, size).view(shape));
                gradientViews.add(scope.release(gradients.narrow(0, start, size).view(shape)));
                start += size;
            }
        }
        zeroGradients();
    }

    /** The parameters by name, in their order. */
    public Map<String, Tensor> parameters() {
        return parameters;
    }

    /** All values, {@code [count]}. */
    public Tensor values() {
        return values;
    }

    /** All gradients, {@code [count]}. */
    public Tensor gradients() {
        return gradients;
    }

    /** Sets every gradient to zero. */
    public void zeroGradients() {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            gradients.zero_();
            int i = 0;
            for (Tensor parameter : parameters.values()) {
                parameter.mutable_grad().put(gradientViews.get(i++));
            }
        }
    }

    /** The Euclidean norm of all gradients. */
    public double gradientNorm() {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            return Tensors.item(gradients.norm());
        }
    }

    /** Scales the gradients so that their norm is at most this; as {@code clip_grad_norm_} of PyTorch. */
    public void clip(double norm, double most) {
        double factor = most / (norm + 1e-6);
        if (factor < 1) {
            try (Scope scope = new Scope()) {
                gradients.mul_(new Scalar(factor));
            }
        }
    }
}
