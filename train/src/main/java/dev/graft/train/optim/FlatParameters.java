package dev.graft.train.optim;

import dev.graft.peft.TrainingRule.Rate;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Function;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Trained parameters laid end to end in one vector, and their gradients in another: an optimiser step is then a few operations on long
 * vectors instead of a few on each of hundreds of small matrices. The parameters become views of the vector; autograd adds to the gradient
 * vector in place. Parameters with the same rate are one group, a contiguous part of the vectors. In each group matrices come first, so
 * that the parameters without weight decay are contiguous at its end.
 */
public final class FlatParameters {
    /** The parameters to which weight decay applies. */
    public enum Decay {
        /** Every parameter, as in PyTorch's optimisers. */
        ALL,
        /** Matrices, but no biases, norm weights or other vectors, as trainers of transformers do. */
        MATRICES
    }

    private final Map<String, Tensor> parameters;
    private final Tensor values;
    private final Tensor gradients;
    private final List<Group> groups = new ArrayList<>();
    private final Map<String, Tensor> gradientViews = new LinkedHashMap<>();

    /** Values that stay as they are, by the names of their parameters. */
    private final Map<String, Tensor> frozen = new LinkedHashMap<>();

    /**
     * The learning rate and weight decay of a group of parameters.
     *
     * @param weightDecay the decay for parameters of any shape; null for the optimiser's
     */
    public record GroupOptions(Rate rate, @Nullable Double weightDecay) {}

    /**
     * Parameters with the same options.
     *
     * @param names their names, in the order of the vector
     * @param start the offset in the vector
     * @param matrices the number of values at its start that belong to parameters with at least two dimensions
     * @param size the number of values
     */
    record Group(GroupOptions options, List<String> names, long start, long matrices, long size) {
        Tensor of(Tensor vector) {
            return vector.narrow(0, start, size);
        }

        Tensor matricesOf(Tensor vector) {
            return vector.narrow(0, start, matrices);
        }

        Rate rate() {
            return options.rate;
        }

        /** Returns its weight decay, or the optimiser's. */
        double weightDecay(double usual) {
            return options.weightDecay == null ? usual : options.weightDecay;
        }

        /** Returns the part of a vector {@code [count]} to which its weight decay applies. */
        Tensor decayed(Decay decay, Tensor vector) {
            return decays(decay, 1) ? of(vector) : matricesOf(vector);
        }

        /** Returns whether its weight decay applies to a parameter with so many dimensions. */
        boolean decays(Decay decay, long dimensions) {
            return decay == Decay.ALL || options.weightDecay != null || dimensions >= 2;
        }
    }

    /** Options of an optimiser for a group of parameters. */
    @FunctionalInterface
    interface Update {
        /**
         * Changes the group's values.
         *
         * @param rate its learning rate
         * @param step the number of its own step, from 1: a group that joins later starts with a first step
         */
        void apply(Group group, double rate, long step);
    }

    /**
     * Creates a layout in which all parameters have the run's learning rate; takes over the memory of the parameters, which must be leaves
     * of one type.
     */
    public FlatParameters(Map<String, Tensor> parameters) {
        this(parameters, name -> Rate.DEFAULT);
    }

    /** Takes over the memory of the parameters, which must be leaves of one type. */
    public FlatParameters(Map<String, Tensor> parameters, Function<String, Rate> rates) {
        this(rates.andThen(rate -> new GroupOptions(rate, null)), parameters);
    }

    /** Takes over the memory of the parameters, which must be leaves of one type. */
    public FlatParameters(Function<String, GroupOptions> optionsOf, Map<String, Tensor> parameters) {
        if (parameters.isEmpty()) {
            throw new IllegalArgumentException("there is nothing to train");
        }
        if (parameters.values().stream().noneMatch(Tensor::requires_grad)) {
            throw new IllegalArgumentException("the parameters are frozen: no gradient is formed for any of them");
        }
        Map<GroupOptions, List<String>> byOptions = new LinkedHashMap<>();
        parameters
                .keySet()
                .forEach(name -> byOptions
                        .computeIfAbsent(optionsOf.apply(name), options -> new ArrayList<>())
                        .add(name));
        this.parameters = new LinkedHashMap<>();
        long end = 0;
        for (Map.Entry<GroupOptions, List<String>> same : byOptions.entrySet()) {
            List<String> names = new ArrayList<>();
            long inMatrices = add(parameters, same.getValue(), true, names);
            long size = inMatrices + add(parameters, same.getValue(), false, names);
            groups.add(new Group(same.getKey(), List.copyOf(names), end, inMatrices, size));
            end += size;
        }
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            List<Tensor> parts = new ArrayList<>();
            for (Tensor parameter : this.parameters.values()) {
                parts.add(parameter.detach().reshape(-1));
            }
            values = scope.release(Ops.cat(0, parts.toArray(Tensor[]::new)));
            gradients = scope.release(Tensors.zeros(values.scalar_type(), values.numel()));
            long start = 0;
            for (Map.Entry<String, Tensor> parameter : this.parameters.entrySet()) {
                long size = parameter.getValue().numel();
                long[] shape = Tensors.shape(parameter.getValue());
                parameter
                        .getValue()
                        .__dispatch_set_data(values.narrow(0, start, size).view(shape));
                gradientViews.put(
                        parameter.getKey(),
                        scope.release(gradients.narrow(0, start, size).view(shape)));
                start += size;
            }
        }
        zeroGradients();
    }

    /**
     * Creates a layout that shares the values of another one but has gradients of its own, for a second thread.
     *
     * @param twins parameters of the same names, which become views of the same values
     */
    public FlatParameters(FlatParameters others, Map<String, Tensor> twins) {
        parameters = new LinkedHashMap<>();
        others.parameters.keySet().forEach(name -> parameters.put(name, twins.get(name)));
        values = others.values;
        groups.addAll(others.groups);
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            gradients = scope.release(Tensors.zeros(values.scalar_type(), values.numel()));
            long start = 0;
            for (Map.Entry<String, Tensor> parameter : parameters.entrySet()) {
                long size = parameter.getValue().numel();
                long[] shape = Tensors.shape(parameter.getValue());
                gradientViews.put(
                        parameter.getKey(),
                        scope.release(gradients.narrow(0, start, size).view(shape)));
                start += size;
            }
        }
        zeroGradients();
    }

    /** Adds the gradients of another layout that shares these values. */
    public void addGradients(FlatParameters others) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            gradients.add_(others.gradients);
        }
    }

    private long add(Map<String, Tensor> all, List<String> of, boolean matrix, List<String> names) {
        long size = 0;
        for (String name : of) {
            Tensor parameter = all.get(name);
            if (parameter != null && parameter.dim() >= 2 == matrix) {
                parameters.put(name, parameter);
                names.add(name);
                size += parameter.numel();
            }
        }
        return size;
    }

    /** Returns the parameters by name, in the order of the vector. */
    public Map<String, Tensor> parameters() {
        return parameters;
    }

    /** Returns all values, {@code [count]}. */
    public Tensor values() {
        return values;
    }

    /** The parameters by the rate at which they learn. */
    List<Group> groups() {
        return groups;
    }

    /** Changes every group that learns at this step of the optimiser, its number counted from 1. */
    void update(long step, double learningRate, Update update) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            for (Group group : groups) {
                long from = group.rate().firstStep();
                if (step > from) {
                    update.apply(group, learningRate * group.rate().factor(), step - from);
                }
            }
            frozen.forEach((name, kept) -> value(name).copy_(kept));
        }
    }

    /** Freezes these parameters: from now on they get no gradient, and no optimiser step changes them. */
    public void freeze(Set<String> names) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            for (String name : names) {
                if (!frozen.containsKey(name)) {
                    Tensor parameter = value(name);
                    parameter.set_requires_grad(false);
                    frozen.put(name, scope.release(parameter.detach().clone()));
                }
            }
        }
    }

    /** Returns a parameter's part of a vector {@code [count]} over all parameters. */
    public Tensor within(String name, Tensor vector) {
        long start = 0;
        for (Map.Entry<String, Tensor> parameter : parameters.entrySet()) {
            long size = parameter.getValue().numel();
            if (parameter.getKey().equals(name)) {
                return vector.narrow(0, start, size);
            }
            start += size;
        }
        throw new IllegalArgumentException("there is no parameter " + name);
    }

    /**
     * Enables gradients only for the parameters that an optimiser step changes.
     *
     * @param step the number of the step, from 0
     */
    public void prepare(long step) {
        for (Group group : groups) {
            if (group.rate().firstStep() > 0) {
                for (String name : group.names) {
                    Tensor parameter = parameters.get(name);
                    if (parameter != null && !frozen.containsKey(name)) {
                        parameter.set_requires_grad(step >= group.rate().firstStep());
                    }
                }
            }
        }
    }

    /** Returns a parameter by its name. */
    Tensor value(String name) {
        return Objects.requireNonNull(parameters.get(name));
    }

    /** Returns the gradient of a parameter, in its shape. */
    Tensor gradient(String name) {
        return Objects.requireNonNull(gradientViews.get(name));
    }

    /** Returns all gradients, {@code [count]}. */
    public Tensor gradients() {
        return gradients;
    }

    /** Sets every gradient to zero. */
    public void zeroGradients() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            gradients.zero_();
            parameters.forEach((name, parameter) -> parameter.mutable_grad().put(gradientViews.get(name)));
        }
    }

    /**
     * Runs a backward pass, which adds to the gradients, and finds the parameters that it doesn't reach.
     *
     * @param names parameters whose gradients are zero
     * @param backward runs a backward pass
     * @return the names of trained parameters that aren't reached, in the given order
     */
    public List<String> unreachedBy(Collection<String> names, Runnable backward) {
        try (Tensor none = new Tensor()) {
            for (String name : names) {
                parameter(name).mutable_grad().put(none);
            }
        }
        backward.run();
        List<String> unreached = new ArrayList<>();
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            for (String name : names) {
                Tensor parameter = parameter(name);
                Tensor gradient = parameter.grad();
                Tensor view = Objects.requireNonNull(gradientViews.get(name));
                if (gradient.defined()) {
                    view.add_(gradient);
                } else if (parameter.requires_grad()) {
                    unreached.add(name);
                }
                parameter.mutable_grad().put(view);
            }
        }
        return unreached;
    }

    private Tensor parameter(String name) {
        return Objects.requireNonNull(parameters.get(name));
    }

    /** Returns the Euclidean norm of all gradients. */
    public double gradientNorm() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            return Tensors.item(gradients.norm());
        }
    }

    /**
     * Scales the gradients so that their norm is at most {@code most}, as {@code clip_grad_norm_} of PyTorch.
     *
     * @param norm the present norm
     */
    public void clip(double norm, double most) {
        double factor = most / (norm + 1e-6);
        if (factor < 1) {
            try (Scope scope = new Scope()) {
                gradients.mul_(new Scalar(factor));
            }
        }
    }
}
