package dev.graft.eval.compare;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The search for the learning rate, the same for every method. It trains at a few rates around the method's usual one with the first seed.
 * The rate that is best on the validation rows is then trained with the other seeds.
 *
 * @param factors the factors of the usual rate
 * @param seeds the seeds; the first one is used in the search
 */
public record LearningRateSearch(List<Double> factors, List<Long> seeds) {
    public LearningRateSearch {
        factors = List.copyOf(factors);
        seeds = List.copyOf(seeds);
    }

    /** Returns the number of trials of a method. */
    int trials(ComparisonEntry entry) {
        return entry.learningRates(factors).size() + (entry.usesSeed() ? seeds.size() - 1 : 0);
    }

    /** The trials that choose the rate. */
    List<Trial> searchTrials(ComparisonEntry entry) {
        return entry.learningRates(factors).stream()
                .map(rate -> new Trial(entry.name(), rate, seeds.get(0)))
                .toList();
    }

    /** The trials of the chosen rate, that of the search first. */
    List<Trial> finalTrials(ComparisonEntry entry, double rate) {
        List<Trial> trials = new ArrayList<>();
        for (long seed : entry.usesSeed() ? seeds : seeds.subList(0, 1)) {
            trials.add(new Trial(entry.name(), rate, seed));
        }
        return trials;
    }

    /** The rate that was best on the validation rows; null if none gave a score, or not all are known. */
    @Nullable
    Double bestLearningRate(
            ComparisonEntry entry, Experiment experiment, Function<Trial, @Nullable TrialOutcome> outcomes) {
        Double best = null;
        Double score = null;
        for (Trial trial : searchTrials(entry)) {
            TrialOutcome outcome = outcomes.apply(trial);
            if (outcome == null) {
                return null;
            }
            Double reached = outcome.validation().get(experiment.metric());
            if (experiment.isBetter(reached, score)) {
                score = reached;
                best = trial.learningRate();
            }
        }
        return best;
    }
}
