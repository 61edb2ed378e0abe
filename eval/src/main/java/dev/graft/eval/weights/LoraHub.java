package dev.graft.eval.weights;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.train.Predictor;
import dev.graft.train.data.Examples;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * LoraHub (Huang et al., 2023): weights of trained adapters that make few rows of a new task likely, found without gradients. With
 * {@code ℓ(w)} the mean loss of the rows under {@code W + Σ wᵢ ΔWᵢ}, it minimises
 *
 * <pre>{@code
 * ℓ(w) + λ / n Σ |wᵢ|        |wᵢ| ≤ 1.5, from w = 0
 * }</pre>
 *
 * The paper multiplies each adapter's A and each B by its weight and sums them apart, so that a weight acts by its square and the factors of
 * different adapters are multiplied; here the updates themselves are summed. Where the paper leaves the search to a library, this is a (1+1)
 * evolution strategy.
 *
 * <pre>{@code
 * LoraHub.Chosen chosen = LoraHub.DEFAULT.choose(adapters, few, 8);
 * Combined.of(adapters, chosen.weights(), Combination.LINEAR, Combination.Settings.DEFAULT, null).adapter().save(folder);
 * }</pre>
 *
 * @param steps how many weights are tried beside w = 0
 * @param bound the largest weight, by its size
 * @param sparsity λ
 */
public record LoraHub(int steps, double bound, double sparsity, long seed) {
    /** The paper's: 40 steps, weights up to 1.5, λ = 0.05. */
    public static final LoraHub DEFAULT = new LoraHub(40, 1.5, 0.05, 0);

    /** How far the first steps go. */
    private static final double FIRST = 0.5;

    public LoraHub {
        if (steps < 1) {
            throw new InputException("steps is " + steps + ", expected at least 1");
        }
    }

    public LoraHub withSteps(int count) {
        return new LoraHub(count, bound, sparsity, seed);
    }

    public LoraHub withSeed(long other) {
        return new LoraHub(steps, bound, sparsity, other);
    }

    /**
     * What was found.
     *
     * @param loss of the rows under the weights, without λ
     * @param baseLoss of the rows under the base alone
     */
    public record Chosen(List<Double> weights, double loss, double baseLoss) {}

    /**
     * Finds weights.
     *
     * @throws InputException if an adapter isn't a change of weights alone, or no weights are better than none
     */
    public Chosen choose(List<Adapter> adapters, Examples few, int batchSize) {
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
        return new Chosen(
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
