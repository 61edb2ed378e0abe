package dev.graft.peft.methods.lora;

import dev.graft.peft.Method;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * The rank allocation of AdaLoRA. A weight w with gradient g has the sensitivity {@code |w · g|}. Its importance is the
 * running mean of that, times the running mean of its distance from the mean (the uncertainty). A rank's importance is
 * that of its singular value plus the mean ones of its row of A and its column of B. A pruning keeps the most important
 * ranks, as many as {@link RankBudget} allows. The others' singular values become zero and may grow again until the
 * last pruning.
 */
final class AdaLoraRule implements TrainingRule {
    private final RankBudget budget;
    private final Decay decay;
    private final double orthogonality;
    private final long end;
    private final List<Module> modules = new ArrayList<>();
    private final Tensor settled;

    /** A trained tensor with the running means of its sensitivity and of the uncertainty. */
    private record Weight(String key, Tensor value, Tensor sensitivity, Tensor uncertainty) {
        static Weight of(Method.Instance adapter, String key) {
            Tensor value = adapter.value(key);
            return new Weight(key, value, zeros(value), zeros(value));
        }

        private static Tensor zeros(Tensor like) {
            try (Scope scope = new Scope()) {
                return scope.release(Tensors.zeros(like.scalar_type(), Tensors.shape(like)));
            }
        }

        void see(Decay decay) {
            double beta1 = decay.sensitivity;
            double beta2 = decay.uncertainty;
            Tensor now = value.mul(value.grad()).abs();
            sensitivity.mul_(new Scalar(beta1)).add_(now, new Scalar(1 - beta1));
            uncertainty.mul_(new Scalar(beta2)).add_(now.sub(sensitivity).abs(), new Scalar(1 - beta2));
        }

        Tensor importance() {
            return sensitivity.mul(uncertainty);
        }
    }

    /**
     * One module's update.
     *
     * @param kept 1 where the last pruning left a rank
     */
    private record Module(Weight a, Weight b, Weight e, Tensor kept) {
        /** The importance of each rank. */
        double[] scores() {
            Tensor vectors = Ops.mean(a.importance(), 1, false).add(Ops.mean(b.importance(), 0, false));
            return Tensors.doubles(e.importance().view(-1).add(vectors));
        }

        List<Weight> weights() {
            return List.of(a, b, e);
        }
    }

    /**
     * The decay of the running means.
     *
     * @param sensitivity β₁
     * @param uncertainty β₂
     */
    record Decay(double sensitivity, double uncertainty) {}

    /**
     * @param targets modules with an update, by name
     * @param steps of the run
     * @param orthogonality weight of the penalty
     */
    AdaLoraRule(
            Method.Instance adapter,
            List<String> targets,
            RankBudget budget,
            long steps,
            Decay decay,
            double orthogonality) {
        this.budget = budget;
        this.decay = decay;
        this.orthogonality = orthogonality;
        for (String target : targets) {
            Weight e = Weight.of(adapter, target + ".lora_E");
            try (Scope scope = new Scope()) {
                modules.add(new Module(
                        Weight.of(adapter, target + ".lora_A"),
                        Weight.of(adapter, target + ".lora_B"),
                        e,
                        scope.release(Tensors.ones(e.value.scalar_type(), Tensors.shape(e.value)))));
            }
        }
        // The ranks are as few as they should be in any case when the run ends.
        end = Math.min(budget.end(), steps - 1);
        try (Scope scope = new Scope()) {
            settled = scope.release(Tensors.zeros(torch.ScalarType.Float, 1));
        }
    }

    /** The mean over all A and B of {@code ‖A Aᵀ - I‖} and {@code ‖Bᵀ B - I‖}. */
    @Override
    public @Nullable Tensor penalty() {
        if (orthogonality == 0) {
            return null;
        }
        Tensor sum = null;
        for (Module module : modules) {
            if (module.e.value.size(0) > 0) {
                Tensor a = module.a.value;
                Tensor b = module.b.value;
                Tensor both = distance(a.matmul(a.t())).add(distance(b.t().matmul(b)));
                sum = sum == null ? both : sum.add(both);
            }
        }
        return sum == null ? null : Ops.scale(sum, orthogonality / (2.0 * modules.size()));
    }

    private static Tensor distance(Tensor product) {
        return product.sub(Ops.to(torch.eye(product.size(0)), product.scalar_type()))
                .norm();
    }

    @Override
    public void afterUpdate(long step, double learningRate) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            if (step < budget.end()) {
                for (Module module : modules) {
                    module.weights().forEach(weight -> weight.see(decay));
                }
            }
            if (Tensors.item(settled) != 0) {
                modules.forEach(module -> module.e.value.mul_(module.kept));
            } else if (step >= end) {
                prune(budget.target());
                settled.fill_(new Scalar(1.0));
            } else if (budget.prunes(step)) {
                prune(budget.at(step));
            }
        }
    }

    private record Rank(int module, int row, double score) {}

    /** Leaves that many ranks, those with the highest scores. */
    private void prune(long left) {
        List<Rank> ranks = new ArrayList<>();
        List<float[]> kept = new ArrayList<>();
        for (int i = 0; i < modules.size(); i++) {
            double[] scores = modules.get(i).scores();
            for (int row = 0; row < scores.length; row++) {
                ranks.add(new Rank(i, row, scores[row]));
            }
            kept.add(new float[scores.length]);
        }
        ranks.sort(Comparator.comparingDouble(Rank::score).reversed());
        ranks.stream().limit(left).forEach(rank -> kept.get(rank.module)[rank.row] = 1);
        for (int i = 0; i < modules.size(); i++) {
            Module module = modules.get(i);
            module.kept.copy_(Tensors.of(kept.get(i), kept.get(i).length, 1));
            module.e.value.mul_(module.kept);
        }
    }

    @Override
    public boolean allowsAveraging() {
        return false;
    }

    @Override
    public long firstCompleteStep() {
        return end;
    }

    @Override
    public Map<String, Tensor> state() {
        Map<String, Tensor> state = new LinkedHashMap<>();
        for (Module module : modules) {
            for (Weight weight : module.weights()) {
                state.put(weight.key + ".sensitivity", weight.sensitivity);
                state.put(weight.key + ".uncertainty", weight.uncertainty);
            }
            state.put(module.e.key + ".kept", module.kept);
        }
        state.put("adalora.settled", settled);
        return state;
    }
}
