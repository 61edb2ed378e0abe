package dev.graft.eval.tasks;

import dev.graft.eval.predict.rows.MaskRowPredictor;
import dev.graft.eval.predict.rows.PredictionModel;
import dev.graft.eval.predict.rows.PredictionOptions;
import dev.graft.eval.predict.rows.RowPredictor;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.chat.Chat;
import dev.graft.train.data.MaskedLmEncoder;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.RowShape;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;

/** Masked language modelling. */
record MaskedLmTask() implements TaskType {
    @Override
    public String option() {
        return "mask";
    }

    @Override
    public Task head() {
        return Task.MASKED_LM;
    }

    @Override
    public List<RowShape> shapes() {
        return List.of(RowShape.TEXT);
    }

    @Override
    public RowShape forcedShape() {
        return RowShape.TEXT;
    }

    /** Returns false: texts alone are for causal models by default. */
    @Override
    public boolean isUsualFor(RowShape shape) {
        return false;
    }

    @Override
    public String purpose() {
        return "learning masked tokens";
    }

    @Override
    public Set<String> options() {
        return Set.of("label_smoothing", "mask_share");
    }

    @Override
    public RowEncoder encoder(Base base, TaskRows rows, Supplier<Chat> chat, EncodingOptions options) {
        return new MaskedLmEncoder(base.tokenizer(), options.maskShare(), options.seed());
    }

    @Override
    public Scorer<?> scorer(TaskRows rows) {
        return Scorer.texts();
    }

    @Override
    public RowPredictor predictor(PredictionModel model, PredictionOptions options) {
        return new MaskRowPredictor(model);
    }

    @Override
    public boolean readsWindows() {
        return true;
    }
}
