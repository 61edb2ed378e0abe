package dev.graft.models.chat.internal;

import java.util.List;

/**
 * The text that a template printed.
 *
 * @param generated the places of {@code {% generation %}} blocks in the text, as pairs of code points
 */
public record RenderedTemplate(String text, List<int[]> generated) {
    public RenderedTemplate {
        generated = List.copyOf(generated);
    }
}
