package dev.graft.eval.compare;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;
import org.bytedeco.javacpp.Pointer;
import org.jspecify.annotations.Nullable;

/**
 * Trains every method of an experiment, with the same search for its learning rate and the same seeds. Outcomes in the store aren't
 * computed again, so a killed comparison can be resumed. Several processes with one store share the work.
 *
 * <pre>{@code
 * Comparison comparison = new Comparison(experiment, entries, new LearningRateSearch(List.of(0.3, 1.0, 3.0), seeds), store);
 * comparison.run(watcher, () -> false);
 * List<MethodResult> results = comparison.results();
 * }</pre>
 */
public final class Comparison {
    private static final long WAIT_MILLIS = 300;

    private final Experiment experiment;
    private final List<ComparisonEntry> entries;
    private final LearningRateSearch search;
    private final TrialStore trialStore;
    private final Map<String, String> keys = new HashMap<>();

    public Comparison(
            Experiment experiment, List<ComparisonEntry> entries, LearningRateSearch search, TrialStore trialStore) {
        this.experiment = experiment;
        this.entries = List.copyOf(entries);
        this.search = search;
        this.trialStore = trialStore;
        TrialRunner any = new TrialRunner(experiment, () -> false);
        entries.forEach(entry -> keys.put(entry.name(), any.key(entry)));
    }

    public Experiment experiment() {
        return experiment;
    }

    /** Listens to the progress of a comparison. */
    public interface TrialListener {
        /**
         * Called when a trial starts.
         *
         * @param done the number of finished trials
         * @param total the number of all trials
         */
        default void onTrialStart(Trial trial, int done, int total) {}

        /** Called when a trial has ended. */
        default void onTrialEnd(TrialOutcome outcome, int done, int total) {}
    }

    /**
     * Runs the missing trials.
     *
     * @throws CancellationException if it was interrupted; finished trials are kept
     */
    public void run(TrialListener listener, BooleanSupplier interrupted) {
        run(listener, interrupted, () -> false);
    }

    /**
     * Runs missing trials.
     *
     * @param tired checked after each trial; once true, this returns so that a new process can continue
     * @return true if no trial is missing
     * @throws CancellationException if it was interrupted; finished trials are kept
     */
    public boolean run(TrialListener listener, BooleanSupplier interrupted, BooleanSupplier tired) {
        TrialRunner runner = new TrialRunner(experiment, interrupted);
        boolean missing = true;
        while (missing) {
            missing = false;
            boolean ran = false;
            for (ComparisonEntry entry : entries) {
                // Once the rate is chosen there are more.
                for (List<Trial> open = pendingTrials(entry); !open.isEmpty(); open = pendingTrials(entry)) {
                    boolean some = false;
                    for (Trial trial : open) {
                        boolean mine = run(runner, entry, trial, listener);
                        some |= mine;
                        if (interrupted.getAsBoolean()) {
                            throw new CancellationException("interrupted after " + trial.name());
                        }
                        if (mine && tired.getAsBoolean()) {
                            return false;
                        }
                    }
                    ran |= some;
                    if (!some) {
                        missing = true;
                        break;
                    }
                }
            }
            if (missing && !ran) {
                pause(interrupted);
            }
        }
        return true;
    }

    private static void pause(BooleanSupplier interrupted) {
        if (interrupted.getAsBoolean()) {
            throw new CancellationException("interrupted while other processes are at work");
        }
        try {
            Thread.sleep(WAIT_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancellationException("interrupted");
        }
    }

    /** Runs a trial unless somebody else does. */
    private boolean run(TrialRunner runner, ComparisonEntry entry, Trial trial, TrialListener listener) {
        try (TrialStore.TrialLock claim = trialStore.lock(trial)) {
            if (claim == null) {
                return false;
            }
            if (outcome(trial) == null) {
                listener.onTrialStart(trial, done(), total());
                TrialOutcome outcome = runner.run(entry, trial, key(trial));
                trialStore.write(outcome);
                listener.onTrialEnd(outcome, done(), total());
                // Adapters and their optimisers are native memory behind small objects; what is freed goes back to the
                // system.
                System.gc();
                Pointer.trimMemory();
            }
            return true;
        }
    }

    private String key(Trial trial) {
        return Objects.requireNonNull(keys.get(trial.method()));
    }

    private String key(ComparisonEntry entry) {
        return Objects.requireNonNull(keys.get(entry.name()));
    }

    private @Nullable TrialOutcome outcome(Trial trial) {
        return trialStore.outcome(trial, key(trial));
    }

    /** Returns the trials of a method that have no outcome yet. */
    private List<Trial> pendingTrials(ComparisonEntry entry) {
        return plannedTrials(entry).stream()
                .filter(trial -> outcome(trial) == null)
                .toList();
    }

    /** Returns the trials of a method that are known to be needed. */
    private List<Trial> plannedTrials(ComparisonEntry entry) {
        List<Trial> trials = new ArrayList<>(search.searchTrials(entry));
        Double best = search.bestLearningRate(entry, experiment, this::outcome);
        if (best != null) {
            search.finalTrials(entry, best).stream().skip(1).forEach(trials::add);
        }
        return trials;
    }

    private int done() {
        return (int) entries.stream()
                .flatMap(entry -> plannedTrials(entry).stream())
                .filter(trial -> outcome(trial) != null)
                .count();
    }

    private int total() {
        return entries.stream().mapToInt(search::trials).sum();
    }

    /** Returns the methods whose costs haven't been measured. */
    public List<String> unmeasured() {
        return entries.stream()
                .filter(entry -> trialStore.footprint(entry.name(), key(entry)) == null)
                .map(ComparisonEntry::name)
                .toList();
    }

    /**
     * Measures the costs of a method. The process should have done nothing else.
     *
     * @throws dev.graft.formats.InputException if it doesn't fit the base
     */
    public void measure(String name) {
        for (ComparisonEntry entry : entries) {
            if (entry.name().equals(name)) {
                trialStore.write(new FootprintMeasurement(experiment).measure(entry));
            }
        }
    }

    /** Returns the results of the methods, in their order. Those without a score are last. */
    public List<MethodResult> results() {
        List<MethodResult> results = new ArrayList<>();
        for (ComparisonEntry entry : entries) {
            List<TrialOutcome> searched = outcomes(search.searchTrials(entry));
            Double best = search.bestLearningRate(entry, experiment, this::outcome);
            results.add(new MethodResult(
                    entry.name(),
                    experiment.metric(),
                    searched,
                    trialStore.footprint(entry.name(), key(entry)),
                    best == null ? List.of() : outcomes(search.finalTrials(entry, best))));
        }
        results.sort(Comparator.comparing(result -> result.outcomes().isEmpty()));
        return results;
    }

    private List<TrialOutcome> outcomes(List<Trial> trials) {
        return trials.stream()
                .map(this::outcome)
                .filter(outcome -> outcome != null && outcome.failure() == null)
                .toList();
    }
}
