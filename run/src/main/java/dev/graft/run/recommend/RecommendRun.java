package dev.graft.run.recommend;

import dev.graft.eval.recommend.Budget;
import dev.graft.eval.recommend.MeasuredRecords;
import dev.graft.formats.InputException;
import dev.graft.models.Architecture;
import dev.graft.models.Task;
import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import dev.graft.run.ConfiguredBase;
import dev.graft.run.PreparedRun;
import dev.graft.run.RunPreparation;
import dev.graft.run.config.ConfigReader;
import dev.graft.run.config.RunConfig;
import dev.graft.run.progress.RunListener;
import dev.graft.train.MemoryEstimate;
import dev.graft.train.Resume;
import dev.graft.train.TrainSettings;
import dev.graft.train.Trainer;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.TrainingListener;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;

/** A run of {@code graft recommend}: finds methods that fit a budget, those with the best records first. */
public record RecommendRun(
        List<String> options, Budget budget, MeasuredRecords records, int most, RunListener listener) {
    private static final int STEPS = 4;

    /** The number of trials for each method wanted, even if they fail. */
    private static final int TRIES = 3;

    /** The fit of a method into the budget. */
    public enum Fit {
        FITS,
        NEEDS_MEMORY,
        TAKES_LONGER,
        REFUSED
    }

    /**
     * A method that was tried.
     *
     * @param memory the memory of the process in bytes; 0 if unknown
     * @param time the estimated time of the whole training; null if it can't be trained on these rows
     * @param refused the reason why it can't be trained on these rows; else null
     * @param known the earlier measurements, in words
     */
    public record Candidate(
            String method,
            long memory,
            @Nullable Duration time,
            Fit fit,
            @Nullable InputException refused,
            String known) {}

    /**
     * The result of a recommendation.
     *
     * @param race the score of each method on validation rows, the best first; empty without a race
     */
    public record Recommendation(List<Candidate> tried, Map<String, Double> race, String command) {
        public List<String> fitting() {
            return tried.stream()
                    .filter(each -> each.fit() == Fit.FITS)
                    .map(Candidate::method)
                    .toList();
        }

        /** Returns the recommendation with the scores of a race. */
        public Recommendation after(Map<String, Double> race) {
            return new Recommendation(tried, race, command);
        }

        /** Returns the method to try first; null where none fits. */
        public @Nullable String first() {
            return race.isEmpty()
                    ? fitting().stream().findFirst().orElse(null)
                    : race.keySet().iterator().next();
        }
    }

    /**
     * Tries methods and returns the recommendation.
     *
     * @throws CancellationException if the listener stops it
     */
    public Recommendation run() {
        RunConfig any = config("lora");
        ConfiguredBase named = new ConfiguredBase(any.base(), listener);
        named.requireKind();
        ConfiguredBase.Files files = named.fetch();
        boolean decoder = Architecture.of(files.checkpoint().config()).tasks().contains(Task.CAUSAL_LM);
        String task = decoder ? Task.CAUSAL_LM.name() : Task.SEQ_CLS.name();
        List<Candidate> tried = new ArrayList<>();
        int fitting = 0;
        for (String method : candidates(decoder, task)) {
            if (fitting == most || tried.size() >= TRIES * most) {
                break;
            }
            if (listener.isStopRequested()) {
                throw new CancellationException("interrupted after " + tried.size() + " methods");
            }
            listener.onNotice("trying " + method);
            Candidate each = attempt(method, task);
            tried.add(each);
            fitting += each.fit() == Fit.FITS ? 1 : 0;
        }
        return new Recommendation(tried, Map.of(), "./graft train " + String.join(" ", options));
    }

    /** The best by whole points first; of equals those that train less. */
    private List<String> candidates(boolean decoder, String task) {
        return Methods.all().stream()
                .filter(type -> decoder
                        ? type.capabilities().decoder()
                        : type.capabilities().encoder())
                .map(Method.Type::name)
                .filter(method -> records.advantage(method, task).isPresent())
                .sorted(Comparator.comparingLong((String method) -> -Math.round(
                                100 * records.advantage(method, task).orElse(0)))
                        .thenComparingDouble(records::trainablePercent))
                .toList();
    }

    private RunConfig config(String method) {
        return ConfigReader.read(null, options, Map.of("method", method), notice -> {});
    }

    /** Trains a few steps of it and stretches what they took to the whole training. */
    private Candidate attempt(String method, String task) {
        String known = records.known(method, task);
        try (PreparedRun prepared = new RunPreparation(config(method), RunListener.SILENT).prepare()) {
            TrainSettings settings = prepared.settings();
            MemoryEstimate estimate =
                    MemoryEstimate.of(settings, prepared.adapter(), prepared.train(), budget.memory());
            List<Long> times = new ArrayList<>();
            TrainingListener clock = new TrainingListener() {
                @Override
                public void onStep(Stepped stepped) {
                    times.add(System.nanoTime());
                }
            };
            new Trainer(settings, prepared.adapter(), prepared.train(), null, null, List.of(clock))
                    .run(Resume.NEVER, () -> times.size() >= STEPS);
            long step = (times.get(times.size() - 1) - times.get(0)) / Math.max(1, times.size() - 1);
            Duration time = Duration.ofNanos(step * prepared.plan().totalSteps());
            long memory = estimate == null ? 0 : estimate.total();
            Fit fit = memory > budget.memory()
                    ? Fit.NEEDS_MEMORY
                    : time.compareTo(budget.time()) > 0 ? Fit.TAKES_LONGER : Fit.FITS;
            return new Candidate(method, memory, time, fit, null, known);
        } catch (InputException refused) {
            return new Candidate(method, 0, null, Fit.REFUSED, refused, known);
        }
    }
}
