package dev.graft.eval.tasks;

import dev.graft.eval.predict.rows.GenerationRowPredictor;
import dev.graft.eval.predict.rows.PredictionModel;
import dev.graft.eval.predict.rows.PredictionOptions;
import dev.graft.eval.predict.rows.RowPredictor;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.chat.Chat;
import dev.graft.train.data.CausalEncoder;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.PreferenceEncoder;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.TrainingObjective;
import dev.graft.train.data.files.Dataset;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Supplier;

/** Preference optimisation of a causal model's answers. */
enum PreferenceTask implements TaskType {
    DPO(RowShape.PREFERENCE, Set.of("preference.beta", "preference.loss", "label_smoothing")) {
        @Override
        TrainingObjective objective(TaskOptions options) {
            TrainingObjective.DpoLossType form = options.value("preference.loss", TrainingObjective.DpoLossType.class);
            return new TrainingObjective.Dpo(
                    form == null ? TrainingObjective.DpoLossType.SIGMOID : form,
                    beta(options, BETA),
                    options.number("label_smoothing", 0));
        }
    },
    ORPO(RowShape.PREFERENCE, Set.of("preference.beta")) {
        @Override
        TrainingObjective objective(TaskOptions options) {
            return new TrainingObjective.Orpo(beta(options, BETA));
        }
    },
    SIMPO(RowShape.PREFERENCE, Set.of("preference.beta", "preference.gamma")) {
        @Override
        TrainingObjective objective(TaskOptions options) {
            return new TrainingObjective.Simpo(beta(options, 2), options.number("preference.gamma", 0.5));
        }
    },
    CPO(RowShape.PREFERENCE, Set.of("preference.beta", "preference.alpha", "label_smoothing")) {
        @Override
        TrainingObjective objective(TaskOptions options) {
            return new TrainingObjective.Cpo(
                    beta(options, BETA), options.number("label_smoothing", 0), options.number("preference.alpha", 1));
        }
    },
    KTO(RowShape.JUDGED, Set.of("preference.beta", "preference.desirable_weight", "preference.undesirable_weight")) {
        @Override
        TrainingObjective objective(TaskOptions options) {
            if (options.number("batch_size", 0) == 1) {
                throw new InputException("batch_size is 1, but KTO compares an answer with the others of its batch;"
                        + " take 2 or more");
            }
            return new TrainingObjective.Kto(
                    beta(options, BETA),
                    options.number("preference.desirable_weight", 1),
                    options.number("preference.undesirable_weight", 1));
        }
    };

    private static final double BETA = 0.1;

    private final RowShape shape;
    private final Set<String> options;

    PreferenceTask(RowShape shape, Set<String> options) {
        this.shape = shape;
        this.options = options;
    }

    abstract TrainingObjective objective(TaskOptions options);

    private static double beta(TaskOptions options, double usual) {
        return options.number("preference.beta", usual);
    }

    @Override
    public String option() {
        return name().toLowerCase(Locale.ROOT);
    }

    @Override
    public Task head() {
        return Task.CAUSAL_LM;
    }

    @Override
    public List<RowShape> shapes() {
        return List.of(shape);
    }

    @Override
    public RowShape forcedShape() {
        return shape;
    }

    @Override
    public String purpose() {
        return name();
    }

    @Override
    public Set<String> options() {
        return options;
    }

    @Override
    public void check(TaskOptions given) {
        objective(given);
    }

    @Override
    public TrainingObjective objective(Dataset rows, TaskOptions given) {
        return objective(given);
    }

    @Override
    public RowEncoder encoder(Base base, TaskRows rows, Supplier<Chat> chat, EncodingOptions encoding) {
        return new PreferenceEncoder(
                CausalEncoder.forPrompts(
                        base.tokenizer(),
                        chat,
                        LossOn.COMPLETION,
                        base.backbone().vocabSize()),
                rows.objective());
    }

    @Override
    public Scorer<?> scorer(TaskRows rows) {
        return this == KTO ? Scorer.judgements() : Scorer.preferences();
    }

    @Override
    public RowPredictor predictor(PredictionModel model, PredictionOptions options) {
        return new GenerationRowPredictor(model, options);
    }

    @Override
    public Defaults defaults() {
        return new Defaults(5e-5, 4);
    }
}
