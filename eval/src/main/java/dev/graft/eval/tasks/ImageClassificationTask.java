package dev.graft.eval.tasks;

import dev.graft.eval.predict.rows.LabelRowPredictor;
import dev.graft.eval.predict.rows.PredictionModel;
import dev.graft.eval.predict.rows.PredictionOptions;
import dev.graft.eval.predict.rows.RowPredictor;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.chat.Chat;
import dev.graft.train.data.ImageClassificationEncoder;
import dev.graft.train.data.Label;
import dev.graft.train.data.Labels;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.files.Dataset;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Labels or a number for an image. */
record ImageClassificationTask() implements TaskType {
    @Override
    public @Nullable String option() {
        return null;
    }

    @Override
    public Task head() {
        return Task.IMAGE_CLS;
    }

    @Override
    public List<RowShape> shapes() {
        return List.of(RowShape.LABELLED_IMAGE);
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
        return new ImageClassificationEncoder(base.imageProcessor(), rows.labels());
    }

    @Override
    public Scorer<?> scorer(TaskRows rows) {
        return ClassLabels.scorer(rows);
    }

    @Override
    public RowPredictor predictor(PredictionModel model, PredictionOptions options) {
        return new LabelRowPredictor(model, options);
    }

    @Override
    public boolean readsImages() {
        return true;
    }

    @Override
    public Defaults defaults() {
        return new Defaults(1e-3, 32);
    }
}
