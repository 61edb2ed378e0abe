package dev.graft.models.chat;

import dev.graft.formats.Gguf;
import dev.graft.formats.InputException;
import dev.graft.models.chat.internal.RenderedTemplate;
import dev.graft.models.chat.internal.TemplateError;
import dev.graft.models.chat.internal.TemplateFiles;
import dev.graft.models.chat.internal.TemplateProgram;
import dev.graft.models.chat.internal.TemplateValues;
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
 * The text form of conversations that a model was trained on: a Jinja template with the output of {@code apply_chat_template} of transformers 5.
 * Immutable and thread-safe.
 *
 * <p>Templates are untrusted programs: they run in a sandbox without access to Java, with limits of time and memory. An unsupported feature of
 * Jinja is an error; it never changes the text.
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
    private final Map<String, TemplateProgram> programs;
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
        Map<String, TemplateProgram> parsed = new LinkedHashMap<>();
        texts.forEach((name, text) -> parsed.put(name, parse(text)));
        this.programs = Map.copyOf(parsed);
    }

    /**
     * @param text the text of the conversation
     * @param generated the ranges of the template's {@code {% generation %}} blocks in it, as [start, end) in code
     *     points; empty if it has none
     */
    public record Rendered(String text, List<int[]> generated) {
        public Rendered {
            generated = List.copyOf(generated);
        }
    }

    /**
     * Parses one template.
     *
     * @param source the name of the template in messages
     * @throws TemplateException if it is not a template, or uses an unsupported feature
     */
    public static ChatTemplate of(String source, String template, SpecialTokens specialTokens) {
        return of(source, Map.of("default", template), specialTokens);
    }

    /** Parses several templates by name: {@code default}, and {@code tool_use} for conversations with tools. */
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
        return new MissingTemplateException(source + ": has no chat template; a base model has none. Put one into"
                + " chat_template.jinja in the model's folder (the template of the"
                + " model's chat version fits), or train on {\"prompt\","
                + " \"completion\"} rows");
    }

    /** Returns a copy with a fixed time for {@code strftime_now}. */
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
     * Returns the text of a conversation.
     *
     * @throws TemplateException if the template rejects the conversation, or fails
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
        variables.forEach((name, value) -> values.put(name, TemplateValues.of(value)));
        try {
            RenderedTemplate rendered = program(options).render(values, clock);
            return new Rendered(rendered.text(), rendered.generated());
        } catch (TemplateError e) {
            throw new TemplateException(source, e.line(), e.what(), e);
        }
    }

    private TemplateProgram program(RenderOptions options) {
        TemplateProgram program = options.tools() != null ? programs.get("tool_use") : null;
        program = program == null ? programs.get("default") : program;
        if (program == null) {
            throw new InputException(source + " has the chat templates " + new TreeMap<>(texts).keySet()
                    + " but none named \"default\"");
        }
        return program;
    }

    private TemplateProgram parse(String template) {
        try {
            return TemplateProgram.parse(template);
        } catch (TemplateError e) {
            throw new TemplateException(source, e.line(), e.what(), e);
        }
    }

    /**
     * Returns the fields of a message as transformers 5 passes them. Fields without a value are omitted; reasoning
     * appears under each of its names.
     */
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
