package dev.graft.eval.tasks;

import dev.graft.eval.predict.rows.GenerationRowPredictor;
import dev.graft.eval.predict.rows.PredictionModel;
import dev.graft.eval.predict.rows.PredictionOptions;
import dev.graft.eval.predict.rows.RowPredictor;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.chat.Chat;
import dev.graft.train.data.CausalEncoder;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.RowShape;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Causal language modelling on conversations, completions and texts. */
record CausalTask() implements TaskType {
    @Override
    public String option() {
        return "causal";
    }

    @Override
    public Task head() {
        return Task.CAUSAL_LM;
    }

    @Override
    public List<RowShape> shapes() {
        return List.of(RowShape.CHAT, RowShape.INSTRUCTION, RowShape.PROMPT_COMPLETION, RowShape.TEXT, RowShape.TOKENS);
    }

    @Override
    public String purpose() {
        return "fine-tuning a causal model";
    }

    /** Rejects preference data: bad answers must not be imitated. */
    @Override
    public @Nullable String refusal(RowShape shape) {
        return shape == RowShape.JUDGED || shape == RowShape.PREFERENCE
                ? "of which some are not to be imitated; write the good answers alone, such as "
                        + RowShape.PROMPT_COMPLETION.sample()
                : null;
    }

    @Override
    public List<RowShape> samples() {
        return List.of(RowShape.CHAT, RowShape.PROMPT_COMPLETION);
    }

    @Override
    public boolean dependsOnModel() {
        return true;
    }

    @Override
    public Set<String> options() {
        return Set.of("label_smoothing", "loss_on", "packing");
    }

    @Override
    public RowEncoder encoder(Base base, TaskRows rows, Supplier<Chat> chat, EncodingOptions options) {
        return CausalEncoder.forPrompts(
                rows.shape() == RowShape.TOKENS ? null : base.tokenizer(),
                chat,
                options.lossOn(),
                base.backbone().vocabSize());
    }

    @Override
    public Scorer<?> scorer(TaskRows rows) {
        return Scorer.texts();
    }

    @Override
    public RowPredictor predictor(PredictionModel model, PredictionOptions options) {
        return new GenerationRowPredictor(model, options);
    }

    @Override
    public Overflow overflow(RowShape shape) {
        return shape == RowShape.TEXT ? Overflow.SPLIT : Overflow.DROP;
    }

    @Override
    public Defaults defaults() {
        return new Defaults(2e-4, 8);
    }
}
