package dev.graft.eval.compare;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The search of every method, the same for all: each of a few learning rates around the method's usual one with the first seed, then the
 * one that is best on the validation rows with the other seeds.
 *
 * @param factors of the usual rate
 * @param seeds the first one searches
 */
public record Search(List<Double> factors, List<Long> seeds) {
    public Search {
        factors = List.copyOf(factors);
        seeds = List.copyOf(seeds);
    }

    /** How many trials a contender has. */
    int trials(Contender contender) {
        return contender.rates(factors).size() + (contender.seeded() ? seeds.size() - 1 : 0);
    }

    /** The trials that choose the rate. */
    List<Trial> choosing(Contender contender) {
        return contender.rates(factors).stream()
                .map(rate -> new Trial(contender.name(), rate, seeds.get(0)))
                .toList();
    }

    /** The trials of the chosen rate, that of the search first. */
    List<Trial> chosen(Contender contender, double rate) {
        List<Trial> trials = new ArrayList<>();
        for (long seed : contender.seeded() ? seeds : seeds.subList(0, 1)) {
            trials.add(new Trial(contender.name(), rate, seed));
        }
        return trials;
    }

    /** The rate that was best on the validation rows; null if none gave a score, or not all are known. */
    @Nullable
    Double best(Contender contender, Experiment experiment, Function<Trial, @Nullable Outcome> outcomes) {
        Double best = null;
        Double score = null;
        for (Trial trial : choosing(contender)) {
            Outcome outcome = outcomes.apply(trial);
            if (outcome == null) {
                return null;
            }
            Double reached = outcome.validation().get(experiment.metric());
            if (experiment.better(reached, score)) {
                score = reached;
                best = trial.rate();
            }
        }
        return best;
    }
}
