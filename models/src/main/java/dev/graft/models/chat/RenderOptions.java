package dev.graft.models.chat;

import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The inputs of a template beside the messages.
 *
 * @param generationPrompt whether the text ends with the header that prompts the model to answer, such as
 *     {@code <|im_start|>assistant}
 * @param tools JSON schemas of functions the model may call, as maps or Jackson nodes; null for none
 * @param documents documents to answer from, for templates that support them; null for none
 * @param variables further variables, such as {@code enable_thinking}
 */
@RecordBuilder
public record RenderOptions(
        boolean generationPrompt,
        @Nullable List<?> tools,
        @Nullable List<?> documents,
        Map<String, ?> variables) implements RenderOptionsBuilder.With {

    /** A finished conversation. */
    public static final RenderOptions DEFAULT = new RenderOptions(false, null, null, Map.of());

    /** A conversation that the model continues. */
    public static final RenderOptions PROMPT = new RenderOptions(true, null, null, Map.of());
}
