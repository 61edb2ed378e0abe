package dev.graft.cli.recommend;

import dev.graft.cli.Interruption;
import dev.graft.cli.Version;
import dev.graft.cli.compare.TrialLines;
import dev.graft.cli.compare.Workbench;
import dev.graft.cli.config.CompareConfig;
import dev.graft.cli.config.ConfigReader;
import dev.graft.eval.compare.Comparison;
import dev.graft.eval.compare.Experiment;
import dev.graft.eval.compare.Ledger;
import dev.graft.eval.compare.Standing;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Successive halving (Jamieson and Talwalkar, 2016) with η = 3: all methods train a few steps, the better third three times as many, until
 * one is left. Validation rows decide. Its trials are kept in the output folder, so a race that was killed goes on.
 */
record Race(List<String> options, List<String> methods, PrintWriter err) {
    private static final int ETA = 3;
    private static final int FEWEST_STEPS = 20;

    /** The score on validation rows of each method where it came to its end, the winner first. */
    Map<String, Double> run() {
        Map<String, Double> ended = new LinkedHashMap<>();
        List<String> racing = methods;
        int steps = FEWEST_STEPS;
        while (!racing.isEmpty()) {
            err.println("race: " + racing.size() + (racing.size() == 1 ? " method, " : " methods, ") + steps
                    + " steps each");
            List<Standing> order = round(racing, steps);
            int kept = racing.size() == 1 ? 0 : Math.max(1, racing.size() / ETA);
            // The worst first, so that who goes on ends later.
            for (int i = order.size() - 1; i >= 0; i--) {
                ended.remove(order.get(i).method());
                ended.put(order.get(i).method(), score(order.get(i)));
            }
            racing = order.stream().limit(kept).map(Standing::method).toList();
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
    private List<Standing> round(List<String> racing, int steps) {
        List<String> own = new ArrayList<>(options);
        own.removeIf(option -> option.startsWith("max_steps=") || option.startsWith("epochs="));
        own.addAll(List.of("methods=[" + String.join(",", racing) + "]", "rates=[1]", "seeds=1", "max_steps=" + steps));
        CompareConfig config = ConfigReader.comparison(null, own, err::println);
        Workbench bench = Workbench.of(config, Map.of(), Version.current(), err);
        Experiment experiment = bench.experiment();
        Path folder = Path.of(config.run().apply("lora").output().outputDir()).resolve("race-" + steps);
        Comparison comparison =
                new Comparison(experiment, bench.contenders(), bench.search(config), new Ledger(folder));
        comparison.run(new TrialLines(err), Interruption::requested);
        Comparator<Standing> byScore = Comparator.comparingDouble(Race::score);
        return comparison.standings().stream()
                .filter(standing -> standing.scored() && racing.contains(standing.method()))
                .sorted(experiment.greaterIsBetter() ? byScore.reversed() : byScore)
                .toList();
    }

    private static double score(Standing standing) {
        return standing.outcomes().get(0).validation().getOrDefault(standing.metric(), Double.NaN);
    }
}
