package dev.graft.eval.tasks;

import dev.graft.eval.predict.rows.LabelRowPredictor;
import dev.graft.eval.predict.rows.PredictionModel;
import dev.graft.eval.predict.rows.PredictionOptions;
import dev.graft.eval.predict.rows.RowPredictor;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.chat.Chat;
import dev.graft.train.data.ClassificationEncoder;
import dev.graft.train.data.Label;
import dev.graft.train.data.Labels;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.Rows;
import dev.graft.train.data.files.Dataset;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Sequence classification and regression: one label, several labels or a number for a text. */
record ClassificationTask() implements TaskType {
    @Override
    public String option() {
        return "classify";
    }

    @Override
    public Task head() {
        return Task.SEQ_CLS;
    }

    @Override
    public List<RowShape> shapes() {
        return List.of(RowShape.CLASSIFICATION, RowShape.LABELLED_TOKENS);
    }

    @Override
    public List<RowShape> samples() {
        return List.of(RowShape.CLASSIFICATION, RowShape.LABELLED_IMAGE, RowShape.CHAT);
    }

    @Override
    public TaskType forShape(RowShape shape) {
        return shape == RowShape.LABELLED_IMAGE ? new ImageClassificationTask() : this;
    }

    @Override
    public Label.@Nullable Kind kind(Dataset rows) {
        return rows.labelKind();
    }

    @Override
    public Labels labels(Dataset rows) {
        return ClassLabels.of(rows, rows.labelKind());
    }

    @Override
    public RowEncoder encoder(Base base, TaskRows rows, Supplier<Chat> chat, EncodingOptions options) {
        return new ClassificationEncoder(
                rows.shape() == RowShape.LABELLED_TOKENS ? null : base.tokenizer(),
                rows.labels(),
                base.backbone().vocabSize());
    }

    @Override
    public Scorer<?> scorer(TaskRows rows) {
        return ClassLabels.scorer(rows);
    }

    /** Returns whether rows are to classify; a prompt with an answer has a reward. */
    @Override
    public boolean predicts(Rows rows) {
        return !new RewardTask().predicts(rows);
    }

    @Override
    public RowPredictor predictor(PredictionModel model, PredictionOptions options) {
        return new LabelRowPredictor(model, options);
    }

    @Override
    public Overflow overflow(RowShape shape) {
        return shape == RowShape.CLASSIFICATION ? Overflow.TRUNCATE : Overflow.DROP;
    }

    @Override
    public Defaults defaults() {
        return new Defaults(1e-3, 32);
    }
}
