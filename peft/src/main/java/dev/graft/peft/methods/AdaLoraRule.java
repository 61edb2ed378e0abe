package dev.graft.peft.methods;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
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
 * How AdaLoRA shares out its ranks. A weight w with gradient g has the sensitivity {@code |w · g|}; its importance is the running mean of
 * that, times the running mean of its distance from the mean (the uncertainty). A rank has the importance of its singular value and the
 * mean ones of its row of A and its column of B. After a pruning those with the most are left, as many as {@link RankBudget} says; the
 * others' singular values are zero and may grow again until the last pruning.
 */
final class AdaLoraRule implements TrainingRule {
    private static final double FIRST = 0.1;
    private static final double LAST = 0.3;

    private final AdaLora method;
    private final RankBudget budget;
    private final long end;
    private final List<Module> modules = new ArrayList<>();
    private final Tensor settled;

    /** A trained tensor with the running means of its sensitivity and of the uncertainty. */
    private record Weight(String key, Tensor value, Tensor sensitivity, Tensor uncertainty) {
        static Weight of(Adapter adapter, String key) {
            Tensor value = adapter.value(key);
            return new Weight(key, value, zeros(value), zeros(value));
        }

        private static Tensor zeros(Tensor like) {
            try (Scope scope = new Scope()) {
                return scope.release(Tensors.zeros(like.scalar_type(), Tensors.shape(like)));
            }
        }

        void see(double beta1, double beta2) {
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

    AdaLoraRule(AdaLora method, Adapter adapter, Run run) {
        this.method = method;
        long initial = 0;
        for (String key : adapter.trainable().keySet()) {
            if (key.endsWith(AdaLora.E)) {
                String module = key.substring(0, key.length() - AdaLora.E.length());
                Weight e = Weight.of(adapter, key);
                try (Scope scope = new Scope()) {
                    modules.add(new Module(
                            Weight.of(adapter, module + ".lora_A"),
                            Weight.of(adapter, module + ".lora_B"),
                            e,
                            scope.release(Tensors.ones(e.value.scalar_type(), Tensors.shape(e.value)))));
                }
                initial += e.value.size(0);
            }
        }
        Integer given = method.totalSteps();
        if (given != null && given > run.steps()) {
            throw new InputException("total_step is " + given + ", but the run has " + run.steps()
                    + " steps: it would end before the ranks are pruned; leave total_step out");
        }
        long total = given == null ? run.steps() : given;
        budget = new RankBudget(
                initial,
                Math.min(initial, (long) method.targetRank() * modules.size()),
                steps(method.tinit(), FIRST, total),
                steps(method.tfinal(), LAST, total),
                method.deltaT(),
                total);
        // The ranks are as few as they should be in any case when the run ends.
        end = Math.min(budget.end(), run.steps() - 1);
        try (Scope scope = new Scope()) {
            settled = scope.release(Tensors.zeros(torch.ScalarType.Float, 1));
        }
    }

    private static long steps(@Nullable Integer given, double share, long total) {
        return given == null ? (long) (share * total) : given;
    }

    /** The mean over all A and B of {@code ‖A Aᵀ - I‖} and {@code ‖Bᵀ B - I‖}. */
    @Override
    public @Nullable Tensor penalty() {
        if (method.orthogonality() == 0) {
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
        return sum == null ? null : Ops.scale(sum, method.orthogonality() / (2.0 * modules.size()));
    }

    private static Tensor distance(Tensor product) {
        return product.sub(Ops.to(torch.eye(product.size(0)), product.scalar_type()))
                .norm();
    }

    @Override
    public void afterUpdate(long step, double learningRate) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            if (step < budget.end()) {
                for (Module module : modules) {
                    module.weights().forEach(weight -> weight.see(method.beta1(), method.beta2()));
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
    public boolean averages() {
        return false;
    }

    @Override
    public long complete() {
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
