package dev.graft.eval.tasks;

import dev.graft.eval.predict.rows.GenerationRowPredictor;
import dev.graft.eval.predict.rows.PredictionModel;
import dev.graft.eval.predict.rows.PredictionOptions;
import dev.graft.eval.predict.rows.RowPredictor;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.chat.Chat;
import dev.graft.models.generate.GenerationConfig;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.Seq2SeqEncoder;
import dev.graft.train.data.SpeechEncoder;
import dev.graft.train.data.files.Dataset;
import java.util.List;
import java.util.function.Supplier;

/** Generation by an encoder-decoder: a text for a text or for a recording. */
record Seq2SeqTask() implements TaskType {
    @Override
    public String option() {
        return "seq2seq";
    }

    @Override
    public Task head() {
        return Task.SEQ_2_SEQ_LM;
    }

    @Override
    public List<RowShape> shapes() {
        return List.of(RowShape.PROMPT_COMPLETION, RowShape.SPEECH, RowShape.TEXT);
    }

    @Override
    public String purpose() {
        return "fine-tuning an encoder-decoder";
    }

    @Override
    public List<RowShape> samples() {
        return List.of(RowShape.PROMPT_COMPLETION);
    }

    /** Returns whether rows have answers; texts need a second text. */
    @Override
    public boolean fits(Dataset rows) {
        return shapes().contains(rows.shape())
                && (rows.shape() != RowShape.TEXT || rows.get(0) instanceof Row.Text text && text.pair() != null);
    }

    /** Returns false: rows alone don't show that the model is an encoder-decoder. */
    @Override
    public boolean isUsualFor(RowShape shape) {
        return false;
    }

    @Override
    public RowEncoder encoder(Base base, TaskRows rows, Supplier<Chat> chat, EncodingOptions options) {
        boolean hears = base.backbone().bands() > 0;
        if (hears != (rows.shape() == RowShape.SPEECH)) {
            throw new InputException("the rows are " + rows.shape().title() + ", but " + base.name()
                    + " needs rows such as\n  " + (hears ? RowShape.SPEECH : RowShape.PROMPT_COMPLETION).sample());
        }
        return hears
                ? new SpeechEncoder(
                        base.logMel(),
                        base.tokenizer(),
                        GenerationConfig.of(base).decoderStartTokens())
                : new Seq2SeqEncoder(base.tokenizer(), base.decoderStartToken());
    }

    @Override
    public Scorer<?> scorer(TaskRows rows) {
        return Scorer.answers();
    }

    @Override
    public RowPredictor predictor(PredictionModel model, PredictionOptions options) {
        return new GenerationRowPredictor(model, options);
    }
}
