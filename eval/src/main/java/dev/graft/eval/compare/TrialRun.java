package dev.graft.eval.compare;

import dev.graft.eval.compare.FootprintRun.Steps;
import dev.graft.eval.metrics.Calibration;
import dev.graft.eval.metrics.ProbabilityPrediction;
import dev.graft.eval.metrics.Segmentation;
import dev.graft.eval.run.Scores;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.AdapterConfig;
import dev.graft.peft.Method;
import dev.graft.peft.Selection;
import dev.graft.tensor.TensorException;
import dev.graft.train.CalibrationRows;
import dev.graft.train.Predictor;
import dev.graft.train.Resume;
import dev.graft.train.TrainResult;
import dev.graft.train.TrainSettings;
import dev.graft.train.TrainSettings.Every;
import dev.graft.train.TrainSettings.Saving;
import dev.graft.train.Trainer;
import dev.graft.train.TrainingEvent.Reason;
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
final class TrialRun {
    private static final int CALIBRATION_BATCH = 8;

    /** As papers have it. */
    private static final int CALIBRATION_BINS = 15;

    private final Experiment experiment;
    private final ObjectNode shared;
    private final BooleanSupplier interrupted;

    TrialRun(Experiment experiment, BooleanSupplier interrupted) {
        this.experiment = experiment;
        this.shared = experiment.toJson();
        this.interrupted = interrupted;
    }

    /** The settings of a contender's method; empty for one that has none, or that doesn't fit the base. */
    private ObjectNode config(Contender contender) {
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.put("contender", contender.getClass().getSimpleName());
        if (contender instanceof Contender.Trained trained) {
            try {
                Method method = trained.on().apply(experiment.base());
                config.put("type", method.type().name());
                config.put("head_rate", trained.headRate() / trained.rate());
                method.write(config, experiment.base());
            } catch (InputException refused) {
                config.put("refused", refused.getMessage());
            }
        }
        return config;
    }

    /** A digest of all that decides the outcomes of a contender, but for the learning rate and the seed. */
    String key(Contender contender) {
        return Experiment.digest(shared + " " + config(contender));
    }

    /**
     * Runs a trial.
     *
     * @throws CancellationException if it was interrupted
     */
    Outcome run(Contender contender, Trial trial, String key) {
        ObjectNode config = config(contender);
        try {
            if (contender instanceof Contender.Trained trained) {
                return train(trained, trial, key, config);
            }
            Base base = experiment.base();
            return outcome(trial, key, config, base, null, Hooks.NONE, List.of(), 0, 0);
        } catch (InputException refused) {
            return Outcome.failed(trial, key, shared, config, "refused: " + refused.getMessage());
        } catch (TrainingException diverged) {
            return Outcome.failed(trial, key, shared, config, "diverged: " + diverged.getMessage());
        } catch (TensorException impossible) {
            // Such as a prompt and a row that are longer than the base's positions: the other methods can still be
            // trained.
            return Outcome.failed(trial, key, shared, config, "failed: " + impossible.getMessage());
        }
    }

    private Outcome train(Contender.Trained contender, Trial trial, String key, ObjectNode config) {
        Adapter adapter = adapter(contender, trial.seed());
        Steps steps = new Steps();
        TrainSettings settings =
                experiment.settings().withLearningRate(trial.rate()).withSeed(trial.seed());
        if (settings.optimization().headRate() == null) {
            double head = trial.rate() * (contender.headRate() / contender.rate());
            settings = settings.with(settings.optimization().withHeadRate(head));
        }
        double seconds = train(adapter, settings, steps);
        Hooks hooks = Selection.of(adapter).hooks();
        return outcome(trial, key, config, adapter.base(), adapter, hooks, steps.losses(), seconds, steps.median());
    }

    /** A new adapter of a contender on the experiment's base. */
    Adapter adapter(Contender.Trained contender, long seed) {
        Base base = experiment.base();
        Method method = contender.on().apply(base);
        return method.needsData()
                ? Adapter.create(
                        base,
                        AdapterConfig.of(base, method),
                        CalibrationRows.first(base, experiment.train(), CALIBRATION_BATCH),
                        seed)
                : Adapter.create(base, method, seed);
    }

    /** Trains an adapter and gives the seconds that it took. */
    double train(Adapter adapter, TrainSettings settings, TrainingListener listener) {
        TrainSettings unsaved = settings.with(new Saving(Every.NEVER, 0));
        TrainResult result = new Trainer(unsaved, adapter, experiment.train(), null, null, List.of(listener))
                .run(Resume.NEVER, interrupted);
        if (result.reason() == Reason.INTERRUPTED) {
            throw new CancellationException(
                    "interrupted during a trial of " + adapter.method().type().name());
        }
        return result.elapsed().toNanos() / 1e9;
    }

    private Outcome outcome(
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
        Map<String, Tested> elsewhere = new LinkedHashMap<>();
        experiment.elsewhere().forEach((name, examples) -> elsewhere.put(name, tested(base, examples, hooks)));
        return new Outcome(
                trial,
                key,
                shared,
                config,
                adapter == null ? 0 : adapter.trainableCount(),
                adapter == null ? base.parameterCount() : adapter.totalCount(),
                validation,
                tested(base, experiment.test(), hooks),
                elsewhere,
                losses,
                seconds,
                step,
                null);
    }

    private Tested tested(Base base, Examples examples, Hooks hooks) {
        Map<Integer, Double> rows = new TreeMap<>();
        Map<Integer, Double> weights = new TreeMap<>();
        Calibration calibration = new Calibration(CALIBRATION_BINS);
        Map<String, Double> metrics = new LinkedHashMap<>(score(base, examples, hooks, prediction -> {
            rows.put(prediction.row(), value(prediction));
            weights.put(prediction.row(), weight(prediction));
            if (prediction instanceof Prediction.OneClass one) {
                calibration.update(new ProbabilityPrediction(one.target(), one.probabilities()));
            }
        }));
        if (experiment.task().kind() == Label.Kind.ONE) {
            metrics.putAll(calibration.values());
        }
        return new Tested(metrics, List.copyOf(rows.values()), List.copyOf(weights.values()));
    }

    private Map<String, Double> score(Base base, Examples examples, Hooks hooks, Consumer<Prediction> each) {
        Scores scores = experiment
                .scorer()
                .score(new Predictor(base, examples, experiment.evalBatchSize()), hooks, false, each);
        return scores.metrics();
    }

    private static double value(Prediction prediction) {
        if (prediction instanceof Prediction.OneClass one) {
            return one.predicted() == one.target() ? 1 : 0;
        } else if (prediction instanceof Prediction.ManyClasses many) {
            return Arrays.equals(many.predicted(), many.target()) ? 1 : 0;
        } else if (prediction instanceof Prediction.Value value) {
            return Math.abs(value.predicted() - value.target());
        } else if (prediction instanceof Prediction.Pair pair) {
            return pair.loss();
        } else if (prediction instanceof Prediction.Judged judged) {
            return judged.loss();
        } else if (prediction instanceof Prediction.Points points) {
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
