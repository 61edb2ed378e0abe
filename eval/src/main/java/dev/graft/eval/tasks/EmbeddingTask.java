package dev.graft.eval.tasks;

import dev.graft.eval.predict.rows.EmbeddingRowPredictor;
import dev.graft.eval.predict.rows.PredictionModel;
import dev.graft.eval.predict.rows.PredictionOptions;
import dev.graft.eval.predict.rows.RowPredictor;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.chat.Chat;
import dev.graft.train.data.EmbeddingEncoder;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.TrainingObjective;
import dev.graft.train.data.TrainingObjective.EmbeddingLossType;
import dev.graft.train.data.files.Dataset;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Supplier;

/** Text embeddings that are close for related texts. */
record EmbeddingTask() implements TaskType {
    private static final String LOSS = "embedding.loss";
    private static final TrainingObjective.Embedding USUAL = TrainingObjective.Embedding.DEFAULT;

    @Override
    public String option() {
        return "embed";
    }

    @Override
    public Task head() {
        return Task.FEATURE_EXTRACTION;
    }

    @Override
    public List<RowShape> shapes() {
        return List.of(RowShape.TEXT_PAIR, RowShape.SCORED_PAIR);
    }

    @Override
    public String purpose() {
        return "an embedding";
    }

    @Override
    public Set<String> options() {
        return Set.of(LOSS, "embedding.scale", "embedding.margin", "embedding.sizes");
    }

    @Override
    public void check(TaskOptions options) {
        objective(USUAL.form(), options);
    }

    private static TrainingObjective objective(EmbeddingLossType form, TaskOptions options) {
        return new TrainingObjective.Embedding(
                form,
                options.number("embedding.scale", USUAL.scale()),
                options.number("embedding.margin", USUAL.margin()),
                options.integers("embedding.sizes"));
    }

    /** Cosines for rows with a score, else in-batch negatives. */
    @Override
    public TrainingObjective objective(Dataset rows, TaskOptions options) {
        boolean scored = rows.shape() == RowShape.SCORED_PAIR;
        boolean negative = rows.get(0) instanceof Row.TextPair pair && pair.negative() != null;
        EmbeddingLossType given = options.value(LOSS, EmbeddingLossType.class);
        EmbeddingLossType form = given != null ? given : scored ? EmbeddingLossType.COSINE : USUAL.form();
        boolean fits = switch (form) {
            case IN_BATCH_NEGATIVES -> !scored;
            case COSINE -> scored;
            case TRIPLET -> negative;
        };
        if (!fits) {
            throw new InputException(rows.place(0) + ": " + LOSS + " is "
                    + form.name().toLowerCase(Locale.ROOT) + ", but the rows are "
                    + rows.shape().title() + (form == EmbeddingLossType.TRIPLET ? " without a negative" : "")
                    + "; leave it out, or give rows with "
                    + (form == EmbeddingLossType.COSINE
                            ? "text, text_pair and score"
                            : form == EmbeddingLossType.TRIPLET
                                    ? "anchor, positive and negative"
                                    : "anchor and positive"));
        }
        return objective(form, options);
    }

    @Override
    public RowEncoder encoder(Base base, TaskRows rows, Supplier<Chat> chat, EncodingOptions options) {
        return new EmbeddingEncoder(base.tokenizer(), rows.objective());
    }

    @Override
    public Scorer<?> scorer(TaskRows rows) {
        return rows.shape() == RowShape.SCORED_PAIR ? Scorer.similarities() : Scorer.retrieval();
    }

    @Override
    public RowPredictor predictor(PredictionModel model, PredictionOptions options) {
        return new EmbeddingRowPredictor(model, options);
    }

    @Override
    public Overflow overflow(RowShape shape) {
        return Overflow.TRUNCATE;
    }

    @Override
    public Defaults defaults() {
        return new Defaults(2e-4, 32);
    }
}
