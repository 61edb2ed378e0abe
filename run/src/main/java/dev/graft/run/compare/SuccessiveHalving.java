package dev.graft.run.compare;

import dev.graft.eval.compare.Comparison;
import dev.graft.eval.compare.Experiment;
import dev.graft.eval.compare.MethodResult;
import dev.graft.eval.compare.TrialStore;
import dev.graft.run.config.CompareConfig;
import dev.graft.run.config.ConfigReader;
import dev.graft.run.progress.RunListener;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Successive halving (Jamieson and Talwalkar, 2016) with η = 3: all methods train a few steps, the best third three times as many, until
 * one is left. Scores on validation rows decide. Its trials are kept in the output folder, so a killed race can be resumed.
 */
public record SuccessiveHalving(List<String> options, List<String> methods, String version, RunListener listener) {
    private static final int ETA = 3;
    private static final int FEWEST_STEPS = 20;

    /**
     * Runs the race.
     *
     * @return the last validation score of each method, the winner first
     */
    public Map<String, Double> run() {
        Map<String, Double> ended = new LinkedHashMap<>();
        List<String> racing = methods;
        int steps = FEWEST_STEPS;
        while (!racing.isEmpty()) {
            listener.onNotice("race: " + racing.size() + (racing.size() == 1 ? " method, " : " methods, ") + steps
                    + " steps each");
            List<MethodResult> order = round(racing, steps);
            int kept = racing.size() == 1 ? 0 : Math.max(1, racing.size() / ETA);
            // The worst first, so that who goes on ends later.
            for (int i = order.size() - 1; i >= 0; i--) {
                ended.remove(order.get(i).method());
                ended.put(order.get(i).method(), score(order.get(i)));
            }
            racing = order.stream().limit(kept).map(MethodResult::method).toList();
            steps *= ETA;
        }
        Map<String, Double> best = new LinkedHashMap<>();
        List<String> names = new ArrayList<>(ended.keySet());
        for (int i = names.size() - 1; i >= 0; i--) {
            best.put(names.get(i), ended.get(names.get(i)));
        }
        return best;
    }

    /** The methods after a round, the best first. */
    private List<MethodResult> round(List<String> racing, int steps) {
        List<String> own = new ArrayList<>(options);
        own.removeIf(option -> option.startsWith("max_steps=") || option.startsWith("epochs="));
        own.addAll(List.of("methods=[" + String.join(",", racing) + "]", "rates=[1]", "seeds=1", "max_steps=" + steps));
        CompareConfig config = ConfigReader.comparison(null, own, listener::onNotice);
        ExperimentSetup setup = ExperimentSetup.of(config, Map.of(), version, listener);
        Experiment experiment = setup.experiment();
        Path folder = Path.of(config.run().apply("lora").output().outputDir()).resolve("race-" + steps);
        Comparison comparison =
                new Comparison(experiment, setup.contenders(), setup.search(config), new TrialStore(folder));
        comparison.run(new TrialProgress(listener), listener::isStopRequested);
        Comparator<MethodResult> byScore = Comparator.comparingDouble(SuccessiveHalving::score);
        return comparison.results().stream()
                .filter(result -> result.hasScore() && racing.contains(result.method()))
                .sorted(experiment.greaterIsBetter() ? byScore.reversed() : byScore)
                .toList();
    }

    private static double score(MethodResult result) {
        return result.outcomes().get(0).validation().getOrDefault(result.metric(), Double.NaN);
    }
}
