package dev.graft.eval.weights;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.train.Predictor;
import dev.graft.train.data.Examples;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * LoraHub (Huang et al., 2023): weights of trained adapters for a new task, found from a few rows without gradients. With {@code ℓ(w)} the
 * mean loss of the rows under {@code W + Σ wᵢ ΔWᵢ}, it minimises
 *
 * <pre>{@code
 * ℓ(w) + λ / n Σ |wᵢ|        |wᵢ| ≤ 1.5, from w = 0
 * }</pre>
 *
 * The paper multiplies each adapter's A and B by its weight and sums them separately, so that a weight counts squared and factors of
 * different adapters are multiplied. Here the updates ΔW are summed. The search is a (1+1) evolution strategy; the paper uses a library.
 *
 * <pre>{@code
 * LoraHub.LearnedWeights chosen = LoraHub.DEFAULT.choose(adapters, few, 8);
 * CombinedAdapter.of(adapters, chosen.weights(), Combination.LINEAR, CombinationSettings.DEFAULT, null).adapter().save(folder);
 * }</pre>
 *
 * @param steps the number of weight vectors to try besides w = 0
 * @param bound the largest absolute weight
 * @param sparsity λ
 */
@RecordBuilder
public record LoraHub(int steps, double bound, double sparsity, long seed) implements LoraHubBuilder.With {
    /** The paper's settings: 40 steps, weights up to 1.5, λ = 0.05. */
    public static final LoraHub DEFAULT = new LoraHub(40, 1.5, 0.05, 0);

    /** The size of the first steps. */
    private static final double FIRST = 0.5;

    public LoraHub {
        if (steps < 1) {
            throw new InputException("steps is " + steps + ", expected at least 1");
        }
    }

    /**
     * The weights found.
     *
     * @param loss the loss of the rows with the weights, without the penalty
     * @param baseLoss the loss of the rows with the base alone
     */
    public record LearnedWeights(List<Double> weights, double loss, double baseLoss) {}

    /**
     * Finds weights.
     *
     * @param few a few rows of the new task
     * @throws InputException if an adapter changes more than weight matrices, or no weights are better than none
     */
    public LearnedWeights choose(List<Adapter> adapters, Examples few, int batchSize) {
        for (Adapter adapter : adapters) {
            if (!adapter.config().modulesToSave().isEmpty()) {
                throw new InputException("lorahub weighs updates of weights, but the adapters save "
                        + String.join(", ", adapter.config().modulesToSave())
                        + " whole, of which there can be one only; it is for models that write text");
            }
            if (!adapter.method().type().capabilities().mergeable()) {
                throw new InputException("lorahub weighs updates of weights, which "
                        + adapter.method().type().name() + " doesn't have");
            }
        }
        Predictor predictor = new Predictor(adapters.get(0).base(), few, batchSize);
        EvolutionStrategy.Point found = new EvolutionStrategy(steps, bound, FIRST, seed)
                .minimum(adapters.size(), weights -> loss(predictor, adapters, weights) + sparsity * mean(weights));
        List<Double> weights = Arrays.stream(found.at()).boxed().toList();
        if (weights.stream().allMatch(weight -> weight == 0)) {
            throw new InputException("none of " + steps + " weights makes the rows likelier than the base alone does;"
                    + " give more steps, or other adapters");
        }
        return new LearnedWeights(
                weights, loss(predictor, adapters, found.at()), loss(predictor, adapters, new double[adapters.size()]));
    }

    private static double mean(double[] weights) {
        return Arrays.stream(weights).map(Math::abs).average().orElse(0);
    }

    private static double loss(Predictor predictor, List<Adapter> adapters, double[] weights) {
        List<Selection> acting = new ArrayList<>();
        for (int i = 0; i < weights.length; i++) {
            if (weights[i] != 0) {
                acting.add(Selection.of(adapters.get(i), weights[i]));
            }
        }
        return predictor
                .predict(Selection.all(acting.toArray(Selection[]::new)).hooks(), prediction -> {})
                .mean();
    }
}
