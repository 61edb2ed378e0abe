package dev.graft.eval.predict.rows;

import dev.graft.eval.predict.LabelPredictor;
import dev.graft.eval.predict.LabelPredictor.LabelPrediction;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import java.util.List;
import java.util.function.Consumer;

/** Predicts the labels or the value of each text or picture, by a classifier or a regression. */
public record LabelRowPredictor(PredictionModel model, PredictionOptions options) implements RowPredictor {
    @Override
    public void predict(Rows rows, Consumer<RowAnswer> answers) {
        Base base = model.trainedBase();
        boolean pictures = base.task() == Task.IMAGE_CLS;
        for (int i = 0; i < rows.size(); i++) {
            Row row = rows.get(i);
            if (!(pictures ? row instanceof Row.Image : row instanceof Row.Text)) {
                throw RowText.unsuitable(rows, i, "this classifier needs a " + (pictures ? "picture" : "text"));
            }
        }
        List<LabelPrediction> predictions =
                new LabelPredictor(base, kind(base), options.batchSize()).predict(rows, model.hooks());
        for (int i = 0; i < rows.size(); i++) {
            answers.accept(LabelText.answer(rows.get(i), predictions.get(i), false));
        }
    }

    /** The kind in the adapter's record; without one, one output is a number and several are classes. */
    private Label.Kind kind(Base base) {
        Label.Kind recorded = model.kind();
        if (recorded != null) {
            return recorded;
        }
        String declared = base.config().stringOrNull("problem_type");
        if ("multi_label_classification".equals(declared)) {
            return Label.Kind.MANY;
        }
        return "regression".equals(declared) || base.labels().size() == 1 ? Label.Kind.SCORE : Label.Kind.ONE;
    }
}
