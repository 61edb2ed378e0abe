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
 * gradient vector in place. Matrices come first, so that what weight decay spares is one stretch at the end.
 */
public final class FlatParameters {
    private final Map<String, Tensor> parameters;
    private final Tensor values;
    private final Tensor gradients;
    private final Tensor matrices;
    private final List<Tensor> gradientViews = new ArrayList<>();

    /** Takes over the memory of the parameters, which must be leaves of one type. */
    public FlatParameters(Map<String, Tensor> parameters) {
        if (parameters.isEmpty()) {
            throw new IllegalArgumentException("there is nothing to train");
        }
        this.parameters = new LinkedHashMap<>();
        addIf(parameters, true);
        long inMatrices =
                this.parameters.values().stream().mapToLong(Tensor::numel).sum();
        addIf(parameters, false);
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            List<Tensor> parts = new ArrayList<>();
            for (Tensor parameter : this.parameters.values()) {
                parts.add(parameter.detach().reshape(-1));
            }
            values = scope.release(Ops.cat(0, parts.toArray(Tensor[]::new)));
            matrices = scope.release(values.narrow(0, 0, inMatrices));
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

    /**
     * Parameters that share the memory of others' values, with gradients of their own.
     *
     * @param twins by the same names, as views of the same values
     */
    public FlatParameters(FlatParameters others, Map<String, Tensor> twins) {
        parameters = new LinkedHashMap<>();
        others.parameters.keySet().forEach(name -> parameters.put(name, twins.get(name)));
        values = others.values;
        matrices = others.matrices;
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            gradients = scope.release(Tensors.zeros(values.scalar_type(), values.numel()));
            long start = 0;
            for (Tensor parameter : parameters.values()) {
                long size = parameter.numel();
                gradientViews.add(scope.release(gradients.narrow(0, start, size).view(Tensors.shape(parameter))));
                start += size;
            }
        }
        zeroGradients();
    }

    /** Adds the gradients of others that share these values. */
    public void addGradients(FlatParameters others) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            gradients.add_(others.gradients);
        }
    }

    private void addIf(Map<String, Tensor> all, boolean matrix) {
        all.forEach((name, parameter) -> {
            if (parameter.dim() >= 2 == matrix) {
                parameters.put(name, parameter);
            }
        });
    }

    /** The parameters by name, in the order of the vector. */
    public Map<String, Tensor> parameters() {
        return parameters;
    }

    /** All values, {@code [count]}. */
    public Tensor values() {
        return values;
    }

    /** The stretch of {@link #values} that the parameters with at least two dimensions fill. */
    Tensor matrices() {
        return matrices;
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

    /**
     * Forms gradients as always, and finds the parameters that are no part of what they were formed of.
     *
     * @param backward runs the backward passes
     * @return the names of the parameters that will never learn, in their order
     */
    public List<String> unreachedBy(Runnable backward) {
        try (Tensor none = new Tensor()) {
            for (Tensor parameter : parameters.values()) {
                parameter.mutable_grad().put(none);
            }
        }
        backward.run();
        List<String> unreached = new ArrayList<>();
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            gradients.zero_();
            int i = 0;
            for (Map.Entry<String, Tensor> parameter : parameters.entrySet()) {
                Tensor gradient = parameter.getValue().grad();
                Tensor view = gradientViews.get(i++);
                if (gradient.defined()) {
                    view.add_(gradient);
                } else {
                    unreached.add(parameter.getKey());
                }
                parameter.getValue().mutable_grad().put(view);
            }
        }
        return unreached;
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
