package dev.graft.eval.compare;

import dev.graft.eval.metrics.Calibration;
import dev.graft.eval.metrics.ProbabilityPrediction;
import dev.graft.eval.metrics.Segmentation;
import dev.graft.eval.tasks.Scores;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.AdapterConfig;
import dev.graft.peft.Method;
import dev.graft.peft.Selection;
import dev.graft.tensor.TensorException;
import dev.graft.train.CalibrationExamples;
import dev.graft.train.Predictor;
import dev.graft.train.Resume;
import dev.graft.train.TrainResult;
import dev.graft.train.TrainSettings;
import dev.graft.train.TrainSettings.Every;
import dev.graft.train.TrainSettings.Saving;
import dev.graft.train.Trainer;
import dev.graft.train.TrainingEvent.EndReason;
import dev.graft.train.TrainingException;
import dev.graft.train.TrainingListener;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Label;
import dev.graft.train.loss.Prediction;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Runs trials of an experiment. */
final class TrialRunner {
    private static final int CALIBRATION_BATCH = 8;

    /** The number of bins that papers use. */
    private static final int CALIBRATION_BINS = 15;

    private final Experiment experiment;
    private final ObjectNode shared;
    private final BooleanSupplier interrupted;

    TrialRunner(Experiment experiment, BooleanSupplier interrupted) {
        this.experiment = experiment;
        this.shared = experiment.toJson();
        this.interrupted = interrupted;
    }

    /** Returns the settings of an entry's method; empty for one that has none, or that doesn't fit the base. */
    private ObjectNode config(ComparisonEntry entry) {
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.put("contender", entry.getClass().getSimpleName());
        if (entry instanceof ComparisonEntry.Trained trained) {
            try {
                Method method = trained.methodFactory().apply(experiment.base());
                config.put("type", method.type().name());
                config.put("head_rate", trained.headRate() / trained.learningRate());
                method.write(config, experiment.base());
            } catch (InputException refused) {
                config.put("refused", refused.getMessage());
            }
        }
        return config;
    }

    /** Returns a digest of all that decides the outcomes of an entry, except the learning rate and the seed. */
    String key(ComparisonEntry entry) {
        return Experiment.digest(shared + " " + config(entry));
    }

    /**
     * Runs a trial.
     *
     * @throws CancellationException if it was interrupted
     */
    TrialOutcome run(ComparisonEntry entry, Trial trial, String key) {
        ObjectNode config = config(entry);
        try {
            if (entry instanceof ComparisonEntry.Trained trained) {
                return train(trained, trial, key, config);
            }
            Base base = experiment.base();
            return outcome(trial, key, config, base, null, Hooks.NONE, List.of(), 0, 0);
        } catch (InputException refused) {
            return TrialOutcome.failed(trial, key, shared, config, "refused: " + refused.getMessage());
        } catch (TrainingException diverged) {
            return TrialOutcome.failed(trial, key, shared, config, "diverged: " + diverged.getMessage());
        } catch (TensorException impossible) {
            // Such as a prompt and a row that are longer than the base's positions: the other methods can still be
            // trained.
            return TrialOutcome.failed(trial, key, shared, config, "failed: " + impossible.getMessage());
        }
    }

    private TrialOutcome train(ComparisonEntry.Trained entry, Trial trial, String key, ObjectNode config) {
        Adapter adapter = adapter(entry, trial.seed());
        StepTimer steps = new StepTimer();
        TrainSettings settings =
                experiment.settings().withLearningRate(trial.learningRate()).withSeed(trial.seed());
        if (settings.optimization().headRate() == null) {
            double head = trial.learningRate() * (entry.headRate() / entry.learningRate());
            settings = settings.withOptimization(settings.optimization().withHeadRate(head));
        }
        double seconds = train(adapter, settings, steps);
        Hooks hooks = Selection.of(adapter).hooks();
        return outcome(trial, key, config, adapter.base(), adapter, hooks, steps.losses(), seconds, steps.median());
    }

    /** Creates an adapter of an entry on the experiment's base. */
    Adapter adapter(ComparisonEntry.Trained entry, long seed) {
        Base base = experiment.base();
        Method method = entry.methodFactory().apply(base);
        return method.needsData()
                ? Adapter.create(
                        base,
                        AdapterConfig.of(base, method),
                        CalibrationExamples.first(base, experiment.train(), CALIBRATION_BATCH),
                        seed)
                : Adapter.create(base, method, seed);
    }

    /** Trains an adapter and returns the duration in seconds. */
    double train(Adapter adapter, TrainSettings settings, TrainingListener listener) {
        TrainSettings unsaved = settings.withSaving(new Saving(Every.NEVER, 0));
        TrainResult result = new Trainer(unsaved, adapter, experiment.train(), null, null, List.of(listener))
                .run(Resume.NEVER, interrupted);
        if (result.reason() == EndReason.INTERRUPTED) {
            throw new CancellationException(
                    "interrupted during a trial of " + adapter.method().type().name());
        }
        return result.elapsed().toNanos() / 1e9;
    }

    private TrialOutcome outcome(
            Trial trial,
            String key,
            ObjectNode config,
            Base base,
            @Nullable Adapter adapter,
            Hooks hooks,
            List<Double> losses,
            double seconds,
            double step) {
        Map<String, Double> validation = score(base, experiment.validation(), hooks, prediction -> {});
        Map<String, TestScores> elsewhere = new LinkedHashMap<>();
        experiment.transferSets().forEach((name, examples) -> elsewhere.put(name, testScores(base, examples, hooks)));
        return new TrialOutcome(
                trial,
                key,
                shared,
                config,
                adapter == null ? 0 : adapter.trainableCount(),
                adapter == null ? base.parameterCount() : adapter.totalCount(),
                validation,
                testScores(base, experiment.test(), hooks),
                elsewhere,
                losses,
                seconds,
                step,
                null);
    }

    private TestScores testScores(Base base, Examples examples, Hooks hooks) {
        Map<Integer, Double> rows = new TreeMap<>();
        Map<Integer, Double> weights = new TreeMap<>();
        Calibration calibration = new Calibration(CALIBRATION_BINS);
        Map<String, Double> metrics = new LinkedHashMap<>(score(base, examples, hooks, prediction -> {
            rows.put(prediction.row(), value(prediction));
            weights.put(prediction.row(), weight(prediction));
            if (prediction instanceof Prediction.SingleLabel one) {
                calibration.update(new ProbabilityPrediction(one.target(), one.probabilities()));
            }
        }));
        if (experiment.taskSpec().kind() == Label.Kind.ONE) {
            metrics.putAll(calibration.values());
        }
        return new TestScores(metrics, List.copyOf(rows.values()), List.copyOf(weights.values()));
    }

    private Map<String, Double> score(Base base, Examples examples, Hooks hooks, Consumer<Prediction> each) {
        Scores scores = experiment
                .scorer()
                .score(new Predictor(base, examples, experiment.evalBatchSize()), hooks, false, each);
        return scores.metrics();
    }

    private static double value(Prediction prediction) {
        if (prediction instanceof Prediction.SingleLabel one) {
            return one.predicted() == one.target() ? 1 : 0;
        } else if (prediction instanceof Prediction.MultiLabel many) {
            return Arrays.equals(many.predicted(), many.target()) ? 1 : 0;
        } else if (prediction instanceof Prediction.Value value) {
            return Math.abs(value.predicted() - value.target());
        } else if (prediction instanceof Prediction.PreferencePair pair) {
            return pair.loss();
        } else if (prediction instanceof Prediction.Judged judged) {
            return judged.loss();
        } else if (prediction instanceof Prediction.Pixels points) {
            Segmentation found = new Segmentation(1 << Byte.SIZE);
            found.update(new Segmentation.Row(points.target(), points.predicted()));
            return found.value();
        }
        if (prediction instanceof Prediction.Tags tags) {
            return tags.tokens().stream()
                    .filter(token -> token.predicted() == token.target())
                    .count();
        } else if (prediction instanceof Prediction.Tokens text) {
            return text.negativeLogLikelihood();
        }
        throw new InputException("questions on a text can't be compared yet: their score is no mean over rows");
    }

    private static double weight(Prediction prediction) {
        return prediction instanceof Prediction.Tokens text
                ? text.tokens()
                : prediction instanceof Prediction.Tags tags ? tags.tokens().size() : 1;
    }
}
