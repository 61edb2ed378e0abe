package dev.graft.models.chat;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a template gets beside the messages.
 *
 * @param generationPrompt whether the text ends with what makes the model answer, such as {@code <|im_start|>assistant}
 * @param tools JSON schemas of functions the model may call, as maps or Jackson nodes; null for none
 * @param documents documents to answer from, for templates that take some; null for none
 * @param variables further variables, such as {@code enable_thinking}
 */
public record RenderOptions(
        boolean generationPrompt,
        @Nullable List<?> tools,
        @Nullable List<?> documents,
        Map<String, ?> variables) {

    /** A finished conversation. */
    public static final RenderOptions DEFAULT = new RenderOptions(false, null, null, Map.of());

    /** A conversation that the model continues. */
    public static final RenderOptions PROMPT = new RenderOptions(true, null, null, Map.of());

    public RenderOptions withTools(@Nullable List<?> tools) {
        return new RenderOptions(generationPrompt, tools, documents, variables);
    }

    public RenderOptions withGenerationPrompt(boolean generationPrompt) {
        return new RenderOptions(generationPrompt, tools, documents, variables);
    }
}
