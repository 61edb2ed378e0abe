package dev.graft.eval.predict.rows;

import dev.graft.eval.predict.ZeroShotClassifier;
import dev.graft.models.sites.Hooks;
import dev.graft.train.data.PictureSource;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import java.util.List;
import java.util.function.Consumer;

/** Chooses among labels for each picture, by a dual encoder. */
public record ImageTextRowPredictor(PredictionModel model, PredictionOptions options) implements RowPredictor {
    @Override
    public void predict(Rows rows, Consumer<RowAnswer> answers) {
        ZeroShotClassifier choice = new ZeroShotClassifier(model.base(), options.labels(), options.template());
        Hooks hooks = model.hooks();
        for (int i = 0; i < rows.size() && !options.isStopped().getAsBoolean(); i++) {
            PictureSource picture = RowText.picture(rows, i);
            answers.accept(LabelText.answer(
                    new Row.Image(picture, null),
                    choice.classify(List.of(picture), hooks).get(0),
                    true));
        }
    }
}
