package dev.graft.models.chat;

import dev.graft.formats.Gguf;
import dev.graft.formats.InputException;
import dev.graft.models.chat.internal.Program;
import dev.graft.models.chat.internal.TemplateError;
import dev.graft.models.chat.internal.TemplateFiles;
import dev.graft.models.chat.internal.Values;
import dev.graft.models.tokenizers.SpecialTokens;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * The text form of conversations that a model was trained on: a Jinja template, rendered as {@code apply_chat_template} of transformers 5
 * does. Immutable, for any number of threads.
 *
 * <p>Templates are programs from strangers: they run in a sandbox without access to Java, with bounds on time and memory. What they use of
 * Jinja beyond the supported part is an error, never another text.
 *
 * <pre>{@code
 * ChatTemplate template = ChatTemplate.load(folder, tokenizer.specialTokens());
 * String text = template.render(List.of(Message.user("Hi")), RenderOptions.PROMPT).text();
 * }</pre>
 */
public final class ChatTemplate {

    /** Names under which messages carry reasoning; the first is the one that most templates read. */
    private static final List<String> REASONING = List.of("reasoning_content", "thinking", "reasoning");

    private static final Pattern TOOLS = Pattern.compile("\\btools\\b");

    private final String source;
    private final Map<String, String> texts;
    private final Map<String, Program> programs;
    private final Map<String, String> specialTokens;
    private final Supplier<LocalDateTime> clock;

    private ChatTemplate(
            String source,
            Map<String, String> texts,
            Map<String, String> specialTokens,
            Supplier<LocalDateTime> clock) {
        this.source = source;
        this.texts = Map.copyOf(texts);
        this.specialTokens = Map.copyOf(specialTokens);
        this.clock = clock;
        Map<String, Program> parsed = new LinkedHashMap<>();
        texts.forEach((name, text) -> parsed.put(name, parse(text)));
        this.programs = Map.copyOf(parsed);
    }

    /**
     * @param text the text of the conversation
     * @param generated where the template's {@code {% generation %}} blocks are in it, as [start, end) in code points; empty if it has none
     */
    public record Rendered(String text, List<int[]> generated) {
        public Rendered {
            generated = List.copyOf(generated);
        }
    }

    /**
     * One template.
     *
     * @param source what messages call it
     * @throws TemplateException when it is not one, or uses what is not supported
     */
    public static ChatTemplate of(String source, String template, SpecialTokens specialTokens) {
        return of(source, Map.of("default", template), specialTokens);
    }

    /** Several templates by name: {@code default}, and {@code tool_use} for conversations with tools. */
    public static ChatTemplate of(String source, Map<String, String> templates, SpecialTokens specialTokens) {
        Map<String, String> tokens = new TreeMap<>();
        specialTokens.byRole().forEach((role, token) -> tokens.put(role.key(), token.content()));
        return new ChatTemplate(source, templates, tokens, LocalDateTime::now);
    }

    /**
     * The template of a model folder: {@code chat_template.jinja} (with {@code additional_chat_templates}), else the
     * {@code chat_template} of {@code tokenizer_config.json}, else {@code chat_template.json}.
     *
     * @throws InputException when the folder has none
     */
    public static ChatTemplate load(Path folder, SpecialTokens specialTokens) {
        Map<String, String> templates = TemplateFiles.find(folder);
        if (templates.isEmpty()) {
            throw missing(folder.toString());
        }
        return of(folder.toString(), templates, specialTokens);
    }

    /** The {@code tokenizer.chat_template} of a GGUF file. */
    public static ChatTemplate of(Gguf gguf, SpecialTokens specialTokens) {
        String source = gguf.path().toString();
        if (!gguf.fields().has("tokenizer.chat_template")) {
            throw missing(source);
        }
        return of(source, gguf.fields().string("tokenizer.chat_template"), specialTokens);
    }

    private static InputException missing(String source) {
        return new MissingTemplateException(source + ": "
                + "has no chat template; a base model has none. Put one into chat_template.jinja in the model's folder (the template of the"
                + " model's chat version fits), or train on {\"prompt\", \"completion\"} rows");
    }

    /** The same template with a fixed time for {@code strftime_now}. */
    public ChatTemplate at(LocalDateTime time) {
        return new ChatTemplate(source, texts, specialTokens, () -> time);
    }

    /** The template's text, for the record of a run. */
    public String text() {
        return texts.getOrDefault("default", texts.values().iterator().next());
    }

    /** The text of the template for conversations with tools; null where there is none. */
    public @Nullable String toolText() {
        String own = texts.get("tool_use");
        return own != null ? own : TOOLS.matcher(text()).find() ? text() : null;
    }

    public String source() {
        return source;
    }

    /**
     * The text of a conversation.
     *
     * @throws TemplateException when the template refuses the conversation, or goes wrong
     */
    public Rendered render(List<Message> messages, RenderOptions options) {
        if (messages.isEmpty()) {
            throw new InputException(source + ": a conversation without messages cannot be rendered");
        }
        return renderAny(messages, options);
    }

    Rendered renderAny(List<Message> messages, RenderOptions options) {
        Map<String, @Nullable Object> variables = new LinkedHashMap<>(specialTokens);
        variables.put("messages", messages.stream().map(ChatTemplate::fields).toList());
        variables.put("tools", options.tools());
        variables.put("documents", options.documents());
        variables.put("add_generation_prompt", options.generationPrompt());
        variables.putAll(options.variables());
        Map<String, @Nullable Object> values = new LinkedHashMap<>();
        variables.forEach((name, value) -> values.put(name, Values.of(value)));
        try {
            Program.Rendered rendered = program(options).render(values, clock);
            return new Rendered(rendered.text(), rendered.generated());
        } catch (TemplateError e) {
            throw new TemplateException(source, e.line(), e.what(), e);
        }
    }

    private Program program(RenderOptions options) {
        Program chosen = options.tools() != null ? programs.get("tool_use") : null;
        chosen = chosen == null ? programs.get("default") : chosen;
        if (chosen == null) {
            throw new InputException(source + " has the chat templates " + new TreeMap<>(texts).keySet()
                    + " but none named \"default\"");
        }
        return chosen;
    }

    private Program parse(String template) {
        try {
            return Program.parse(template);
        } catch (TemplateError e) {
            throw new TemplateException(source, e.line(), e.what(), e);
        }
    }

    /** As transformers 5: fields without a value are left out, and reasoning is given under each of its names. */
    private static Map<String, @Nullable Object> fields(Message message) {
        Map<String, @Nullable Object> fields = new LinkedHashMap<>();
        message.fields().forEach((name, value) -> {
            if (value != null && !(value instanceof JsonNode node && node.isNull())) {
                fields.put(name, value);
            }
        });
        for (String name : REASONING) {
            Object reasoning = fields.get(name);
            if (reasoning != null) {
                Map<String, @Nullable Object> aliased = new LinkedHashMap<>();
                aliased.put("thinking", reasoning);
                aliased.putAll(fields);
                aliased.put("reasoning_content", reasoning);
                return aliased;
            }
        }
        return fields;
    }
}
