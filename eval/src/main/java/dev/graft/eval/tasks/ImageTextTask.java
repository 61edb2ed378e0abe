package dev.graft.eval.tasks;

import dev.graft.eval.predict.rows.ImageTextRowPredictor;
import dev.graft.eval.predict.rows.PredictionModel;
import dev.graft.eval.predict.rows.PredictionOptions;
import dev.graft.eval.predict.rows.RowPredictor;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.chat.Chat;
import dev.graft.train.data.ImageTextEncoder;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.RowShape;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Contrastive training of a dual encoder on images with their texts. */
record ImageTextTask() implements TaskType {
    @Override
    public @Nullable String option() {
        return null;
    }

    @Override
    public Task head() {
        return Task.CONTRASTIVE;
    }

    @Override
    public List<RowShape> shapes() {
        return List.of(RowShape.IMAGE_TEXT);
    }

    @Override
    public RowEncoder encoder(Base base, TaskRows rows, Supplier<Chat> chat, EncodingOptions options) {
        return new ImageTextEncoder(base);
    }

    @Override
    public Scorer<?> scorer(TaskRows rows) {
        return Scorer.choices();
    }

    @Override
    public RowPredictor predictor(PredictionModel model, PredictionOptions options) {
        return new ImageTextRowPredictor(model, options);
    }

    @Override
    public Overflow overflow(RowShape shape) {
        return Overflow.TRUNCATE;
    }

    @Override
    public boolean readsImages() {
        return true;
    }
}
