package dev.graft.peft.methods.update;

import dev.graft.peft.Method;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * The subspace allocation of AdaMSS. A weight w with gradient g has the importance {@code |w · g|}. A subspace's
 * importance is the mean of its running mean times that of its deviations, of A plus of B. In each allocation step the
 * most important ones continue; the others stay unchanged for the rest of the run.
 */
final class AdaMssRule implements TrainingRule {
    private final SubspaceAllocation allocation;
    private final List<Subspace> subspaces = new ArrayList<>();

    /**
     * A trained matrix.
     *
     * @param held what it was before the present step
     */
    private record Weight(String key, Tensor value, Tensor importance, Tensor deviation, Tensor held) {
        static Weight of(Method.Instance adapter, String key) {
            Tensor value = adapter.value(key);
            return new Weight(key, value, zeros(value), zeros(value), zeros(value));
        }

        void see(SubspaceAllocation by) {
            Tensor now = value.mul(value.grad()).abs();
            Tensor from = now.sub(importance).abs();
            deviation.mul_(new Scalar(by.uncertaintyDecay())).add_(from, new Scalar(1 - by.uncertaintyDecay()));
            importance.mul_(new Scalar(by.importanceDecay())).add_(now, new Scalar(1 - by.importanceDecay()));
        }

        double score() {
            return Tensors.item(importance.mul(deviation).mean());
        }

        void forget() {
            importance.zero_();
            deviation.zero_();
        }
    }

    private static Tensor zeros(Tensor like) {
        try (Scope scope = new Scope()) {
            return scope.release(Tensors.zeros(like.scalar_type(), Tensors.shape(like)));
        }
    }

    /**
     * A cluster's A and B.
     *
     * @param learns {@code [1]}, 0 once it is left out
     */
    private record Subspace(Weight a, Weight b, Tensor learns) {
        List<Weight> weights() {
            return List.of(a, b);
        }

        boolean isActive() {
            return Tensors.item(learns) != 0;
        }

        double score() {
            return a.score() + b.score();
        }
    }

    AdaMssRule(SubspaceAllocation allocation, Method.Instance adapter) {
        this.allocation = allocation;
        for (String key : adapter.trainable().keySet()) {
            if (key.contains(".adamss_A.")) {
                Weight b = Weight.of(adapter, key.replace(".adamss_A.", ".adamss_B."));
                try (Scope scope = new Scope()) {
                    Tensor learns = scope.release(Tensors.ones(ScalarType.Float, 1));
                    subspaces.add(new Subspace(Weight.of(adapter, key), b, learns));
                }
            }
        }
    }

    private List<Subspace> active() {
        return subspaces.stream().filter(Subspace::isActive).toList();
    }

    @Override
    public void beforeUpdate(long step) {
        try (NoGrad noGrad = new NoGrad()) {
            for (Subspace subspace : subspaces) {
                if (!subspace.isActive()) {
                    subspace.weights().forEach(weight -> weight.held.copy_(weight.value));
                }
            }
        }
    }

    @Override
    public void afterUpdate(long step, double learningRate) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            for (Subspace subspace : subspaces) {
                if (!subspace.isActive()) {
                    subspace.weights().forEach(weight -> weight.value.copy_(weight.held));
                }
            }
            if (step < allocation.first() || step > allocation.last()) {
                return;
            }
            List<Subspace> active = active();
            active.forEach(subspace -> subspace.weights().forEach(weight -> weight.see(allocation)));
            if (step % allocation.interval() == 0) {
                leave(active, allocation.left(step, subspaces.size()));
                subspaces.forEach(subspace -> subspace.weights().forEach(Weight::forget));
            }
        }
    }

    /** Leaves the most important ones. */
    private static void leave(List<Subspace> active, long count) {
        active.stream()
                .sorted(Comparator.comparingDouble(Subspace::score).reversed())
                .skip(count)
                .forEach(subspace -> subspace.learns.zero_());
    }

    @Override
    public Map<String, Tensor> state() {
        Map<String, Tensor> state = new LinkedHashMap<>();
        for (Subspace subspace : subspaces) {
            for (Weight weight : subspace.weights()) {
                state.put(weight.key + ".importance", weight.importance);
                state.put(weight.key + ".deviation", weight.deviation);
            }
            state.put(subspace.a.key + ".learns", subspace.learns);
        }
        return state;
    }
}
