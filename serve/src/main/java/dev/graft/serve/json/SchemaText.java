package dev.graft.serve.json;

import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The beginning of a JSON object that a {@link Schema} describes, and what may follow it. The JSON itself is followed by {@link JsonText};
 * here is which keys and values it may have. Properties come in the order of the schema, and those that aren't required may be left out.
 * Two are equal by the identity of their schemas, since one is looked up for every token: all of a schema would take long to hash.
 *
 * @param root what the whole is
 * @param frame the innermost open object or array, or null outside of all
 * @param part what the key or value that is being written may be
 */
record SchemaText(JsonText text, Schema root, @Nullable Frame frame, Part part) implements JsonState {
    /**
     * An open object or array.
     *
     * @param schema what it is: a struct, an array or anything
     * @param place the first property that may come next, or how many items have begun
     * @param value what the next value is
     */
    private record Frame(
            Schema schema,
            int place,
            Schema value,
            @Nullable Frame outer) {
        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Frame that
                    && schema == that.schema
                    && place == that.place
                    && value == that.value
                    && Objects.equals(outer, that.outer);
        }

        @Override
        public int hashCode() {
            return 31 * place + Objects.hashCode(outer);
        }
    }

    /**
     * What is left of a key or value.
     *
     * @param options how it may go on; null where JSON alone decides
     * @param whole whether it is a whole number
     */
    private record Part(@Nullable List<Option> options, boolean whole) {
        private static final Part FREE = new Part(null, false);

        boolean mayEnd() {
            return options == null || options.stream().anyMatch(option -> option.left.isEmpty());
        }

        /** With another byte; null if it doesn't go on so. */
        @Nullable
        Part next(int b) {
            if (whole && (b == '.' || (b | 32) == 'e')) {
                return null;
            }
            if (options == null) {
                return this;
            }
            List<Option> fit = options.stream()
                    .filter(option -> !option.left.isEmpty() && option.left.charAt(0) == b)
                    .map(option -> new Option(option.property, option.left.substring(1)))
                    .toList();
            return fit.isEmpty() ? null : new Part(fit, whole);
        }
    }

    /** One way to go on: with a property's key, or with a value. */
    private record Option(int property, String left) {}

    static SchemaText begin(Schema schema) {
        return new SchemaText(JsonText.BEGIN, schema, null, Part.FREE);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof SchemaText that
                && root == that.root
                && text.equals(that.text)
                && Objects.equals(frame, that.frame)
                && part.equals(that.part);
    }

    @Override
    public int hashCode() {
        return Objects.hash(System.identityHashCode(root), text, frame, part);
    }

    @Override
    public boolean isWhole() {
        return text.isWhole();
    }

    @Override
    public @Nullable SchemaText next(int b) {
        JsonText then = text.next(b);
        if (then == null) {
            return null;
        }
        boolean space = JsonText.isSpace(b);
        return switch (text.mode()) {
            case BEGIN, VALUE, FIRST_VALUE -> space ? at(then, frame) : b == ']' ? close(then) : value(then, b);
            case KEY, FIRST_KEY -> space ? at(then, frame) : b == '}' ? close(then) : key(then);
            case COLON -> at(then, frame);
            case AFTER_VALUE -> afterValue(then, b);
            case ZERO, DIGITS, FRACTION, EXPONENT ->
                then.mode().isNumber() ? inside(then, b) : part.mayEnd() ? afterValue(then, b) : null;
            default -> inside(then, b);
        };
    }

    private SchemaText at(JsonText then, @Nullable Frame newFrame) {
        return new SchemaText(then, root, newFrame, Part.FREE);
    }

    private @Nullable SchemaText inside(JsonText then, int b) {
        Part more = part.next(b);
        if (more == null) {
            return null;
        }
        return switch (then.mode()) {
            case COLON -> keyed(then, more);
            case AFTER_VALUE -> more.mayEnd() ? at(then, frame) : null;
            default -> new SchemaText(then, root, frame, more);
        };
    }

    private @Nullable SchemaText key(JsonText then) {
        if (frame == null || !(frame.schema instanceof Schema.Struct struct)) {
            return at(then, frame);
        }
        List<Option> options = struct.next(frame.place).stream()
                .map(i -> new Option(i, struct.properties().get(i).key()))
                .toList();
        return options.isEmpty() ? null : new SchemaText(then, root, frame, new Part(options, false));
    }

    private @Nullable SchemaText keyed(JsonText then, Part key) {
        if (frame == null || key.options == null || !(frame.schema instanceof Schema.Struct struct)) {
            return at(then, frame);
        }
        int property = key.options.get(0).property;
        Schema value = struct.properties().get(property).schema();
        return at(then, new Frame(struct, property + 1, value, frame.outer));
    }

    private @Nullable SchemaText value(JsonText then, int b) {
        Frame around = frame;
        if (around != null && around.schema instanceof Schema.Items items) {
            if (around.place == items.most()) {
                return null;
            }
            around = new Frame(items, around.place + 1, around.value, around.outer);
        }
        return value(then, b, around == null ? root : around.value, around);
    }

    private @Nullable SchemaText value(JsonText then, int b, Schema schema, @Nullable Frame around) {
        if (!schema.mayBegin(b)) {
            return null;
        }
        if (schema instanceof Schema.Union union) {
            return union.options().stream()
                    .filter(option -> option.mayBegin(b))
                    .findFirst()
                    .map(option -> value(then, b, option, around))
                    .orElse(null);
        }
        if (b == '{' || b == '[') {
            Schema inner = schema instanceof Schema.Items items ? items.items() : Schema.ANY;
            return at(then, new Frame(schema, 0, inner, around));
        }
        Part begun = schema instanceof Schema.OneOf one
                ? new Part(
                                one.literals().stream()
                                        .map(text -> new Option(-1, text))
                                        .toList(),
                                false)
                        .next(b)
                : new Part(null, schema instanceof Schema.Figure figure && figure.whole());
        return begun == null ? null : new SchemaText(then, root, around, begun);
    }

    private @Nullable SchemaText afterValue(JsonText then, int b) {
        if (JsonText.isSpace(b)) {
            return at(then, frame);
        }
        if (b != ',' || frame == null) {
            return close(then);
        }
        boolean more = frame.schema instanceof Schema.Struct struct
                ? frame.place < struct.properties().size()
                : !(frame.schema instanceof Schema.Items items) || frame.place < items.most();
        return more ? at(then, frame) : null;
    }

    private @Nullable SchemaText close(JsonText then) {
        if (frame == null) {
            return null;
        }
        boolean may = frame.schema instanceof Schema.Struct struct
                ? struct.mayEnd(frame.place)
                : !(frame.schema instanceof Schema.Items items) || frame.place >= items.least();
        return may ? at(then, frame.outer) : null;
    }
}
