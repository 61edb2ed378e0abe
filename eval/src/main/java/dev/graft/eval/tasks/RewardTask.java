package dev.graft.eval.tasks;

import dev.graft.eval.predict.rows.PredictionModel;
import dev.graft.eval.predict.rows.PredictionOptions;
import dev.graft.eval.predict.rows.RewardRowPredictor;
import dev.graft.eval.predict.rows.RowPredictor;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.chat.Chat;
import dev.graft.train.data.CausalEncoder;
import dev.graft.train.data.Label;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.PreferenceEncoder;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.Rows;
import dev.graft.train.data.TrainingObjective;
import dev.graft.train.data.files.Dataset;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;

/** A reward model, trained on preferences between two answers. */
record RewardTask() implements TaskType {
    @Override
    public String option() {
        return "reward";
    }

    @Override
    public Task head() {
        return Task.SEQ_CLS;
    }

    @Override
    public List<RowShape> shapes() {
        return List.of(RowShape.PREFERENCE);
    }

    @Override
    public RowShape forcedShape() {
        return RowShape.PREFERENCE;
    }

    @Override
    public String purpose() {
        return "learning a reward";
    }

    /** Returns false: preferences alone are for causal models by default. */
    @Override
    public boolean isUsualFor(RowShape shape) {
        return false;
    }

    @Override
    public Set<String> options() {
        return Set.of("preference.centering");
    }

    @Override
    public TrainingObjective objective(Dataset rows, TaskOptions options) {
        return new TrainingObjective.Reward(options.number("preference.centering", 0));
    }

    @Override
    public Label.Kind kind(Dataset rows) {
        return Label.Kind.SCORE;
    }

    @Override
    public RowEncoder encoder(Base base, TaskRows rows, Supplier<Chat> chat, EncodingOptions options) {
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
        return Scorer.preferences();
    }

    @Override
    public boolean predicts(Rows rows) {
        return rows.get(0) instanceof Row.Completion || rows.get(0) instanceof Row.Chat;
    }

    @Override
    public RowPredictor predictor(PredictionModel model, PredictionOptions options) {
        return new RewardRowPredictor(model, options);
    }

    @Override
    public Defaults defaults() {
        return new Defaults(5e-5, 4);
    }
}
