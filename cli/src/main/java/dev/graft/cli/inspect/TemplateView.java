package dev.graft.cli.inspect;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.chat.Chat;
import dev.graft.models.chat.Message;
import dev.graft.models.chat.RenderOptions;
import dev.graft.run.model.LoadedModel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;

/** A chat rendered by the model's template, with the generation prompt unless the chat ends with an answer. */
record TemplateView(String text, int tokens) implements View {
    /** The chat to show where the user has none. */
    private static final List<Message> EXAMPLE = List.of(
            Message.user("What is the capital of France?"), Message.assistant("Paris."), Message.user("And of Italy?"));

    static TemplateView of(LoadedModel loaded, String file) {
        List<Message> messages = messages(file);
        Chat chat = loaded.chat();
        boolean answered = messages.get(messages.size() - 1).role().equals("assistant");
        RenderOptions options = answered ? RenderOptions.DEFAULT : RenderOptions.PROMPT;
        String text = chat.template().render(messages, options).text();
        int tokens = answered
                ? chat.supervised(messages, options, null).encoding().length()
                : chat.prompt(messages).length();
        return new TemplateView(text, tokens);
    }

    /** @param file - for standard input, empty for {@link #EXAMPLE} */
    private static List<Message> messages(String file) {
        if (file.isEmpty()) {
            return EXAMPLE;
        }
        JsonNode read;
        try {
            read = file.equals("-") ? Json.parse("standard input", System.in.readAllBytes()) : Json.read(Path.of(file));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read standard input: " + e.getMessage(), e);
        }
        String source = file.equals("-") ? "standard input" : file;
        JsonNode list = read.isObject() ? read.path("messages") : read;
        if (!list.isArray() || list.isEmpty()) {
            throw new InputException(source + ": expected an array of messages or an object with \"messages\", such as"
                    + " [{\"role\": \"user\", \"content\": \"Hi\"}]");
        }
        List<Message> messages = new ArrayList<>();
        for (JsonNode message : list.values()) {
            messages.add(Message.of(message));
        }
        return messages;
    }

    @Override
    public String text() {
        return text.endsWith("\n") ? text : text + "\n";
    }

    @Override
    public String json() {
        return Json.pretty(
                JsonNodeFactory.instance.objectNode().put("text", text).put("tokens", tokens));
    }
}
