package dev.graft.eval.tasks;

import dev.graft.eval.predict.rows.ChoiceRowPredictor;
import dev.graft.eval.predict.rows.PredictionModel;
import dev.graft.eval.predict.rows.PredictionOptions;
import dev.graft.eval.predict.rows.RowPredictor;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.chat.Chat;
import dev.graft.train.data.Labels;
import dev.graft.train.data.MultipleChoiceEncoder;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.files.Dataset;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/** Multiple choice: the text that best continues or answers another one. */
record MultipleChoiceTask() implements TaskType {
    @Override
    public String option() {
        return "choose";
    }

    @Override
    public Task head() {
        return Task.MULTIPLE_CHOICE;
    }

    @Override
    public List<RowShape> shapes() {
        return List.of(RowShape.CHOICE);
    }

    @Override
    public RowShape forcedShape() {
        return RowShape.CHOICE;
    }

    @Override
    public String purpose() {
        return "choosing";
    }

    /** The numbers of the choices. */
    @Override
    public Labels labels(Dataset rows) {
        return rows.get(0) instanceof Row.Choice choice
                ? Labels.ofNames(IntStream.range(0, choice.choices().size())
                        .mapToObj(Integer::toString)
                        .toList())
                : TaskRows.NO_LABELS;
    }

    @Override
    public RowEncoder encoder(Base base, TaskRows rows, Supplier<Chat> chat, EncodingOptions options) {
        return new MultipleChoiceEncoder(base.tokenizer(), rows.labels().size());
    }

    @Override
    public Scorer<?> scorer(TaskRows rows) {
        return Scorer.choices();
    }

    @Override
    public RowPredictor predictor(PredictionModel model, PredictionOptions options) {
        return new ChoiceRowPredictor(model, options);
    }

    @Override
    public Overflow overflow(RowShape shape) {
        return Overflow.TRUNCATE;
    }
}
