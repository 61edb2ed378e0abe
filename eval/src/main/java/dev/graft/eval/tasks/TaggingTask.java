package dev.graft.eval.tasks;

import dev.graft.eval.predict.rows.PredictionModel;
import dev.graft.eval.predict.rows.PredictionOptions;
import dev.graft.eval.predict.rows.RowPredictor;
import dev.graft.eval.predict.rows.TaggingRowPredictor;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.chat.Chat;
import dev.graft.train.data.Label;
import dev.graft.train.data.Labels;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.TokenClassificationEncoder;
import dev.graft.train.data.files.Dataset;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Token classification: a label for each word. */
record TaggingTask() implements TaskType {
    @Override
    public String option() {
        return "tag";
    }

    @Override
    public Task head() {
        return Task.TOKEN_CLS;
    }

    @Override
    public List<RowShape> shapes() {
        return List.of(RowShape.WORDS);
    }

    @Override
    public RowShape forcedShape() {
        return RowShape.WORDS;
    }

    @Override
    public String purpose() {
        return "tagging words";
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
        return new TokenClassificationEncoder(base.tokenizer(), rows.labels());
    }

    @Override
    public Scorer<?> scorer(TaskRows rows) {
        return ClassLabels.scorer(rows);
    }

    @Override
    public RowPredictor predictor(PredictionModel model, PredictionOptions options) {
        return new TaggingRowPredictor(model, options);
    }

    @Override
    public Overflow overflow(RowShape shape) {
        return Overflow.TRUNCATE;
    }

    @Override
    public Defaults defaults() {
        return new Defaults(1e-3, 32);
    }
}
