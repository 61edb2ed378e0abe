package dev.graft.train.optim;

import dev.graft.peft.TrainingRule.Rate;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.optim.Optimizer.Decay;
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
 * vectors instead of a few on each of hundreds of small matrices. The parameters become views of the vector; autograd adds to the
 * gradient vector in place. Parameters that learn at the same rate are one group, a stretch of the vectors; in it matrices come first, so
 * that what weight decay spares is one stretch at its end.
 */
public final class FlatParameters {
    private final Map<String, Tensor> parameters;
    private final Tensor values;
    private final Tensor gradients;
    private final List<Group> groups = new ArrayList<>();
    private final Map<String, Tensor> gradientViews = new LinkedHashMap<>();

    /** Values that stay as they are, by the names of their parameters. */
    private final Map<String, Tensor> frozen = new LinkedHashMap<>();

    /**
     * How a parameter learns.
     *
     * @param weightDecay its own, whatever its shape; null for the optimiser's
     */
    public record Pace(Rate rate, @Nullable Double weightDecay) {}

    /**
     * Parameters that learn alike.
     *
     * @param names theirs, in the order of the vector
     * @param start where in the vector
     * @param matrices how many values at its start belong to parameters with at least two dimensions
     * @param size how many values it has
     */
    record Group(Pace pace, List<String> names, long start, long matrices, long size) {
        Tensor of(Tensor vector) {
            return vector.narrow(0, start, size);
        }

        Tensor matricesOf(Tensor vector) {
            return vector.narrow(0, start, matrices);
        }

        Rate rate() {
            return pace.rate;
        }

        /** Its weight decay, or the optimiser's usual one. */
        double weightDecay(double usual) {
            return pace.weightDecay == null ? usual : pace.weightDecay;
        }

        /** The part of a vector that its weight decay acts on. */
        Tensor decayed(Decay decay, Tensor vector) {
            return decays(decay, 1) ? of(vector) : matricesOf(vector);
        }

        /** Whether its weight decay acts on a parameter of so many dimensions. */
        boolean decays(Decay decay, long dimensions) {
            return decay == Decay.ALL || pace.weightDecay != null || dimensions >= 2;
        }
    }

    /** What an optimiser does to a group. */
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

    /** Parameters that all learn at the run's rate; takes over their memory. */
    public FlatParameters(Map<String, Tensor> parameters) {
        this(parameters, name -> Rate.USUAL);
    }

    /** Takes over the memory of the parameters, which must be leaves of one type. */
    public FlatParameters(Map<String, Tensor> parameters, Function<String, Rate> rates) {
        this(rates.andThen(rate -> new Pace(rate, null)), parameters);
    }

    /** Takes over the memory of the parameters, which must be leaves of one type. */
    public FlatParameters(Function<String, Pace> paces, Map<String, Tensor> parameters) {
        if (parameters.isEmpty()) {
            throw new IllegalArgumentException("there is nothing to train");
        }
        if (parameters.values().stream().noneMatch(Tensor::requires_grad)) {
            throw new IllegalArgumentException("the parameters are frozen: no gradient is formed for any of them");
        }
        Map<Pace, List<String>> byPace = new LinkedHashMap<>();
        parameters
                .keySet()
                .forEach(name -> byPace.computeIfAbsent(paces.apply(name), pace -> new ArrayList<>())
                        .add(name));
        this.parameters = new LinkedHashMap<>();
        long end = 0;
        for (Map.Entry<Pace, List<String>> same : byPace.entrySet()) {
            List<String> names = new ArrayList<>();
            long inMatrices = add(parameters, same.getValue(), true, names);
            long size = inMatrices + add(parameters, same.getValue(), false, names);
            groups.add(new Group(same.getKey(), List.copyOf(names), end, inMatrices, size));
            end += size;
        }
        try (NoGrad off = new NoGrad();
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
     * Parameters that share the memory of others' values, with gradients of their own.
     *
     * @param twins by the same names, as views of the same values
     */
    public FlatParameters(FlatParameters others, Map<String, Tensor> twins) {
        parameters = new LinkedHashMap<>();
        others.parameters.keySet().forEach(name -> parameters.put(name, twins.get(name)));
        values = others.values;
        groups.addAll(others.groups);
        try (NoGrad off = new NoGrad();
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

    /** Adds the gradients of others that share these values. */
    public void addGradients(FlatParameters others) {
        try (NoGrad off = new NoGrad();
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

    /** The parameters by name, in the order of the vector. */
    public Map<String, Tensor> parameters() {
        return parameters;
    }

    /** All values, {@code [count]}. */
    public Tensor values() {
        return values;
    }

    /** The parameters by the rate at which they learn. */
    List<Group> groups() {
        return groups;
    }

    /** Changes every group that learns at this step of the optimiser, its number counted from 1. */
    void update(long step, double learningRate, Update update) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            for (Group group : groups) {
                long from = group.rate().from();
                if (step > from) {
                    update.apply(group, learningRate * group.rate().factor(), step - from);
                }
            }
            frozen.forEach((name, kept) -> value(name).copy_(kept));
        }
    }

    /** From now on no gradient is formed for these parameters, and no step of an optimiser changes them. */
    public void freeze(Set<String> names) {
        try (NoGrad off = new NoGrad();
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

    /** The part of a vector over all parameters that belongs to one of them. */
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

    /** Forms gradients only for parameters that this step of the optimiser changes, its number counted from 0. */
    public void prepare(long step) {
        for (Group group : groups) {
            if (group.rate().from() > 0) {
                for (String name : group.names) {
                    Tensor parameter = parameters.get(name);
                    if (parameter != null && !frozen.containsKey(name)) {
                        parameter.set_requires_grad(step >= group.rate().from());
                    }
                }
            }
        }
    }

    /** A parameter by its name. */
    Tensor value(String name) {
        return Objects.requireNonNull(parameters.get(name));
    }

    /** The gradient of a parameter, of its shape. */
    Tensor gradient(String name) {
        return Objects.requireNonNull(gradientViews.get(name));
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
            parameters.forEach((name, parameter) -> parameter.mutable_grad().put(gradientViews.get(name)));
        }
    }

    /**
     * Adds to the gradients as always, and finds the parameters that are no part of what they are formed of.
     *
     * @param names of parameters whose gradients are zero; until the backward pass has ended, new ones stand beside them
     * @param backward runs a backward pass
     * @return those of the names whose parameters would learn and aren't reached, in their order
     */
    public List<String> unreachedBy(Collection<String> names, Runnable backward) {
        try (Tensor none = new Tensor()) {
            for (String name : names) {
                parameter(name).mutable_grad().put(none);
            }
        }
        backward.run();
        List<String> unreached = new ArrayList<>();
        try (NoGrad off = new NoGrad();
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
