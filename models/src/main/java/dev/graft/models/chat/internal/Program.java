package dev.graft.models.chat.internal;

import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A parsed template, which renders any number of times on any thread. */
public final class Program {

    private final List<Node.Statement> body;

    private Program(List<Node.Statement> body) {
        this.body = body;
    }

    /** @throws TemplateError with its line */
    public static Program parse(String template) {
        try {
            return new Program(Parser.parse(template));
        } catch (StackOverflowError e) {
            throw new TemplateError(1, "is nested too deeply");
        }
    }

    /**
     * @param text what was printed
     * @param generated where {@code {% generation %}} blocks are in it, as pairs of code points
     */
    public record Rendered(String text, List<int[]> generated) {
        public Rendered {
            generated = List.copyOf(generated);
        }
    }

    /**
     * @param variables values that {@link Values#of} made
     * @param clock for {@code strftime_now}
     * @throws TemplateError with its line
     */
    public Rendered render(Map<String, @Nullable Object> variables, Supplier<LocalDateTime> clock) {
        try {
            return new Evaluator(clock).render(body, variables);
        } catch (StackOverflowError e) {
            throw new TemplateError(1, "recurses too deeply");
        }
    }
}
