package dev.graft.eval.predict.rows;

import dev.graft.eval.predict.Transcriber;
import dev.graft.formats.InputException;
import dev.graft.models.audio.Waveform;
import dev.graft.models.chat.Chat;
import dev.graft.models.chat.Message;
import dev.graft.models.chat.MissingTemplateException;
import dev.graft.models.chat.RenderOptions;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.generate.GeneratedText;
import dev.graft.models.generate.Generator;
import dev.graft.models.sites.Hooks;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import tools.jackson.databind.node.JsonNodeFactory;

/** Generates a text for each row: the completion of a prompt, an answer, or the transcript of a recording. */
public record GenerationRowPredictor(PredictionModel model, PredictionOptions options) implements RowPredictor {
    @Override
    public void predict(Rows rows, Consumer<RowAnswer> answers) {
        Generator generator = new Generator(model.base());
        GenerateOptions generation = GenerateOptions.DEFAULT.withMaxNewTokens(options.maxNewTokens());
        Hooks hooks = model.hooks();
        for (int i = 0; i < rows.size() && !options.isStopped().getAsBoolean(); i++) {
            if (rows.get(i) instanceof Row.Speech speech) {
                answers.accept(transcript(speech, generation));
                continue;
            }
            int[] prompt = prompt(rows, i);
            GeneratedText text = generator
                    .generate(List.of(prompt), generation, hooks, (row, piece) -> {})
                    .get(0);
            answers.accept(completion(RowText.of(RowText.promptRow(rows.get(i))), text));
        }
    }

    private static RowAnswer completion(String prompt, GeneratedText answer) {
        return new RowAnswer(
                () -> JsonNodeFactory.instance
                        .objectNode()
                        .put("prompt", prompt)
                        .put("completion", answer.text())
                        .put("finish_reason", answer.reason().name().toLowerCase(Locale.ROOT)),
                () -> prompt + "\n  " + answer.text().strip());
    }

    private RowAnswer transcript(Row.Speech speech, GenerateOptions generation) {
        Transcriber transcriber = new Transcriber(model.base(), model.hooks(), generation, null);
        String text = transcriber.transcribe(Waveform.read(speech.audio()));
        return new RowAnswer(
                () -> JsonNodeFactory.instance
                        .objectNode()
                        .put("audio", speech.audio().toString())
                        .put("text", text),
                () -> speech.audio() + "\n  " + text);
    }

    private int[] prompt(Rows rows, int i) {
        Row row = RowText.promptRow(rows.get(i));
        if (row instanceof Row.Chat chat) {
            return prompt(chat, rows.place(i));
        }
        if (row instanceof Row.Instruction instruction) {
            try {
                return prompt(instruction.conversation(), rows.place(i));
            } catch (MissingTemplateException none) {
                return prompt(instruction.completion().prompt());
            }
        }
        if (row instanceof Row.Text || row instanceof Row.Completion) {
            return prompt(RowText.of(row));
        }
        throw RowText.unsuitable(rows, i, "a completion needs a text, a prompt or messages");
    }

    private int[] prompt(Row.Chat chat, String place) {
        List<Message> messages = RowText.question(chat);
        if (messages.isEmpty()) {
            throw new InputException(place + ": the conversation has no message of a user to answer");
        }
        Chat template = model.chat();
        RenderOptions rendering = RenderOptions.PROMPT.withTools(chat.tools().isEmpty() ? null : chat.tools());
        try {
            template.requireTools(messages, rendering);
            return template.prompt(messages, rendering).ids();
        } catch (InputException refused) {
            throw new InputException(place + ": " + refused.getMessage(), refused);
        }
    }

    private int[] prompt(String text) {
        return model.base().tokenizer().encode(text, EncodeOptions.DEFAULT).ids();
    }
}
