package dev.graft.eval.tasks;

import dev.graft.eval.predict.rows.PredictionModel;
import dev.graft.eval.predict.rows.PredictionOptions;
import dev.graft.eval.predict.rows.QuestionRowPredictor;
import dev.graft.eval.predict.rows.RowPredictor;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.chat.Chat;
import dev.graft.train.data.QuestionAnsweringEncoder;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.RowShape;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;

/** Extractive question answering: the start and the end of an answer in a text. */
record QuestionAnsweringTask() implements TaskType {
    @Override
    public String option() {
        return "answer";
    }

    @Override
    public Task head() {
        return Task.QUESTION_ANS;
    }

    @Override
    public List<RowShape> shapes() {
        return List.of(RowShape.QUESTION);
    }

    @Override
    public RowShape forcedShape() {
        return RowShape.QUESTION;
    }

    @Override
    public String purpose() {
        return "answering questions";
    }

    @Override
    public Set<String> options() {
        return Set.of("label_smoothing", "stride");
    }

    @Override
    public RowEncoder encoder(Base base, TaskRows rows, Supplier<Chat> chat, EncodingOptions options) {
        return new QuestionAnsweringEncoder(base.tokenizer(), options.stride());
    }

    @Override
    public Scorer<?> scorer(TaskRows rows) {
        return Scorer.spans(rows.hasUnanswerable());
    }

    @Override
    public RowPredictor predictor(PredictionModel model, PredictionOptions options) {
        return new QuestionRowPredictor(model, options);
    }

    @Override
    public boolean readsWindows() {
        return true;
    }
}
