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
 * Trains every contender of an experiment, with an equal search for its learning rate and several seeds. What is in the ledger already is
 * not run again, so a comparison that was killed goes on; several processes with the same ledger share the work.
 *
 * <pre>{@code
 * Comparison comparison = new Comparison(experiment, contenders, new Search(List.of(0.3, 1.0, 3.0), seeds), ledger);
 * comparison.run(watcher, () -> false);
 * List<Standing> standings = comparison.standings();
 * }</pre>
 */
public final class Comparison {
    private static final long WAIT_MILLIS = 300;

    private final Experiment experiment;
    private final List<Contender> contenders;
    private final Search search;
    private final Ledger ledger;
    private final Map<String, String> keys = new HashMap<>();

    public Comparison(Experiment experiment, List<Contender> contenders, Search search, Ledger ledger) {
        this.experiment = experiment;
        this.contenders = List.copyOf(contenders);
        this.search = search;
        this.ledger = ledger;
        TrialRun any = new TrialRun(experiment, () -> false);
        contenders.forEach(contender -> keys.put(contender.name(), any.key(contender)));
    }

    public Experiment experiment() {
        return experiment;
    }

    /** Is told how a comparison goes on. */
    public interface Watcher {
        /** A trial starts; so many of all are done. */
        default void starts(Trial trial, int done, int total) {}

        /** A trial has come to its end. */
        default void ends(Outcome outcome, int done, int total) {}
    }

    /**
     * Runs the trials that are missing.
     *
     * @throws CancellationException if it was interrupted; what is done is kept
     */
    public void run(Watcher watcher, BooleanSupplier interrupted) {
        run(watcher, interrupted, () -> false);
    }

    /**
     * Runs trials that are missing.
     *
     * @param tired asked after each trial whether another process should go on
     * @return whether none is missing any more
     * @throws CancellationException if it was interrupted; what is done is kept
     */
    public boolean run(Watcher watcher, BooleanSupplier interrupted, BooleanSupplier tired) {
        TrialRun runner = new TrialRun(experiment, interrupted);
        boolean missing = true;
        while (missing) {
            missing = false;
            boolean ran = false;
            for (Contender contender : contenders) {
                // Once the rate is chosen there are more.
                for (List<Trial> open = open(contender); !open.isEmpty(); open = open(contender)) {
                    boolean some = false;
                    for (Trial trial : open) {
                        boolean mine = run(runner, contender, trial, watcher);
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
    private boolean run(TrialRun runner, Contender contender, Trial trial, Watcher watcher) {
        try (Ledger.Claim claim = ledger.claim(trial)) {
            if (claim == null) {
                return false;
            }
            if (outcome(trial) == null) {
                watcher.starts(trial, done(), total());
                Outcome outcome = runner.run(contender, trial, key(trial));
                ledger.write(outcome);
                watcher.ends(outcome, done(), total());
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

    private String key(Contender contender) {
        return Objects.requireNonNull(keys.get(contender.name()));
    }

    private @Nullable Outcome outcome(Trial trial) {
        return ledger.outcome(trial, key(trial));
    }

    /** The trials of a contender that have no outcome yet. */
    private List<Trial> open(Contender contender) {
        return plan(contender).stream().filter(trial -> outcome(trial) == null).toList();
    }

    /** The trials of a contender that are known to be needed. */
    private List<Trial> plan(Contender contender) {
        List<Trial> trials = new ArrayList<>(search.choosing(contender));
        Double best = search.best(contender, experiment, this::outcome);
        if (best != null) {
            search.chosen(contender, best).stream().skip(1).forEach(trials::add);
        }
        return trials;
    }

    private int done() {
        return (int) contenders.stream()
                .flatMap(contender -> plan(contender).stream())
                .filter(trial -> outcome(trial) != null)
                .count();
    }

    private int total() {
        return contenders.stream().mapToInt(search::trials).sum();
    }

    /** The contenders whose cost isn't known. */
    public List<String> unmeasured() {
        return contenders.stream()
                .filter(contender -> ledger.footprint(contender.name(), key(contender)) == null)
                .map(Contender::name)
                .toList();
    }

    /**
     * Measures what a contender costs; the process should have done nothing else.
     *
     * @throws dev.graft.formats.InputException if it doesn't fit the base
     */
    public void measure(String name) {
        for (Contender contender : contenders) {
            if (contender.name().equals(name)) {
                ledger.write(new FootprintRun(experiment).measure(contender));
            }
        }
    }

    /** What came of the contenders, in their order; those that have no score yet, or can have none, are last. */
    public List<Standing> standings() {
        List<Standing> standings = new ArrayList<>();
        for (Contender contender : contenders) {
            List<Outcome> searched = outcomes(search.choosing(contender));
            Double best = search.best(contender, experiment, this::outcome);
            standings.add(new Standing(
                    contender.name(),
                    experiment.metric(),
                    searched,
                    ledger.footprint(contender.name(), key(contender)),
                    best == null ? List.of() : outcomes(search.chosen(contender, best))));
        }
        standings.sort(Comparator.comparing(standing -> standing.outcomes().isEmpty()));
        return standings;
    }

    private List<Outcome> outcomes(List<Trial> trials) {
        return trials.stream()
                .map(this::outcome)
                .filter(outcome -> outcome != null && outcome.failure() == null)
                .toList();
    }
}
