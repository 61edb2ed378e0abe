package dev.graft.cli.predict;

import dev.graft.cli.Interruption;
import dev.graft.eval.predict.Transcriber;
import dev.graft.formats.InputException;
import dev.graft.models.audio.Sound;
import dev.graft.models.chat.Chat;
import dev.graft.models.chat.Message;
import dev.graft.models.chat.MissingTemplateException;
import dev.graft.models.chat.RenderOptions;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.generate.Generated;
import dev.graft.models.generate.Generator;
import dev.graft.models.sites.Hooks;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.node.JsonNodeFactory;

/** What a model writes: the rest of a prompt, an answer, what a recording says. */
record WrittenAnswers(Predicting model) {
    void complete(Rows rows, int maxNewTokens) {
        Generator generator = new Generator(model.base());
        GenerateOptions options = GenerateOptions.DEFAULT.withMaxNewTokens(maxNewTokens);
        Hooks hooks = model.hooks();
        for (int i = 0; i < rows.size() && !Interruption.requested(); i++) {
            if (rows.get(i) instanceof Row.Speech speech) {
                transcribe(speech, options);
                continue;
            }
            int[] prompt = prompt(rows, i);
            Generated answer = generator
                    .generate(List.of(prompt), options, hooks, (row, piece) -> {})
                    .get(0);
            String asked = Shown.of(Shown.asked(rows.get(i)));
            model.say(
                    () -> JsonNodeFactory.instance
                            .objectNode()
                            .put("prompt", asked)
                            .put("completion", answer.text())
                            .put("finish_reason", answer.reason().name().toLowerCase(Locale.ROOT)),
                    () -> asked + "\n  " + answer.text().strip());
        }
    }

    private void transcribe(Row.Speech speech, GenerateOptions options) {
        String text =
                new Transcriber(model.base(), model.hooks(), options, null).transcribe(Sound.read(speech.audio()));
        model.say(
                () -> JsonNodeFactory.instance
                        .objectNode()
                        .put("audio", speech.audio().toString())
                        .put("text", text),
                () -> speech.audio() + "\n  " + text);
    }

    private int[] prompt(Rows rows, int i) {
        Row row = Shown.asked(rows.get(i));
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
            return prompt(Shown.of(row));
        }
        throw Shown.unfit(rows, i, "a completion needs a text, a prompt or messages");
    }

    private int[] prompt(Row.Chat chat, String place) {
        List<Message> messages = Shown.question(chat);
        if (messages.isEmpty()) {
            throw new InputException(place + ": the conversation has no message of a user to answer");
        }
        Chat template = model.loading().chat();
        RenderOptions options = RenderOptions.PROMPT.withTools(chat.tools().isEmpty() ? null : chat.tools());
        try {
            template.requireTools(messages, options);
            return template.prompt(messages, options).ids();
        } catch (InputException refused) {
            throw new InputException(place + ": " + refused.getMessage(), refused);
        }
    }

    private int[] prompt(String text) {
        return model.base().tokenizer().encode(text, EncodeOptions.DEFAULT).ids();
    }
}
