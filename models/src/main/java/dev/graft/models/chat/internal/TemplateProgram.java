package dev.graft.models.chat.internal;

import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A parsed template, which can be rendered any number of times on any thread. */
public final class TemplateProgram {

    private final List<Node.Statement> body;

    private TemplateProgram(List<Node.Statement> body) {
        this.body = body;
    }

    /** @throws TemplateError with its line */
    public static TemplateProgram parse(String template) {
        try {
            return new TemplateProgram(Parser.parse(template));
        } catch (StackOverflowError e) {
            throw new TemplateError(1, "is nested too deeply");
        }
    }

    /**
     * @param variables values created by {@link TemplateValues#of}
     * @param clock the time for {@code strftime_now}
     * @throws TemplateError with its line
     */
    public RenderedTemplate render(Map<String, @Nullable Object> variables, Supplier<LocalDateTime> clock) {
        try {
            return new Evaluator(clock).render(body, variables);
        } catch (StackOverflowError e) {
            throw new TemplateError(1, "recurses too deeply");
        }
    }
}
