package dev.graft.serve.json;

import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The beginning of a JSON object that a {@link Schema} describes, and what may follow it. The JSON itself is followed by {@link JsonPrefix};
 * here is which keys and values it may have. Properties come in the order of the schema, and those that aren't required may be left out.
 * Two are equal by the identity of their schemas, since one is looked up for every token: all of a schema would take long to hash.
 *
 * @param root what the whole is
 * @param frame the innermost open object or array, or null outside of all
 * @param remainder what the key or value that is being written may be
 */
record SchemaPrefix(JsonPrefix text, Schema root, @Nullable Frame frame, Remainder remainder) implements JsonState {
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
     * The rest of a key or value.
     *
     * @param options the ways to continue; null where only JSON's syntax restricts it
     * @param whole true for a whole number
     */
    private record Remainder(@Nullable List<Option> options, boolean whole) {
        private static final Remainder FREE = new Remainder(null, false);

        boolean mayEnd() {
            return options == null || options.stream().anyMatch(option -> option.left.isEmpty());
        }

        /** Returns the rest after another byte; null if that byte isn't allowed here. */
        @Nullable
        Remainder advance(int b) {
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
            return fit.isEmpty() ? null : new Remainder(fit, whole);
        }
    }

    /** One way to continue: with a property's key, or with a value. */
    private record Option(int property, String left) {}

    static SchemaPrefix begin(Schema schema) {
        return new SchemaPrefix(JsonPrefix.BEGIN, schema, null, Remainder.FREE);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof SchemaPrefix that
                && root == that.root
                && text.equals(that.text)
                && Objects.equals(frame, that.frame)
                && remainder.equals(that.remainder);
    }

    @Override
    public int hashCode() {
        return Objects.hash(System.identityHashCode(root), text, frame, remainder);
    }

    @Override
    public boolean isComplete() {
        return text.isComplete();
    }

    @Override
    public @Nullable SchemaPrefix advance(int b) {
        JsonPrefix then = text.advance(b);
        if (then == null) {
            return null;
        }
        boolean space = JsonPrefix.isSpace(b);
        return switch (text.mode()) {
            case BEGIN, VALUE, FIRST_VALUE -> space ? at(then, frame) : b == ']' ? close(then) : value(then, b);
            case KEY, FIRST_KEY -> space ? at(then, frame) : b == '}' ? close(then) : key(then);
            case COLON -> at(then, frame);
            case AFTER_VALUE -> afterValue(then, b);
            case ZERO, DIGITS, FRACTION, EXPONENT ->
                then.mode().isNumber() ? inside(then, b) : remainder.mayEnd() ? afterValue(then, b) : null;
            default -> inside(then, b);
        };
    }

    private SchemaPrefix at(JsonPrefix then, @Nullable Frame newFrame) {
        return new SchemaPrefix(then, root, newFrame, Remainder.FREE);
    }

    private @Nullable SchemaPrefix inside(JsonPrefix then, int b) {
        Remainder more = remainder.advance(b);
        if (more == null) {
            return null;
        }
        return switch (then.mode()) {
            case COLON -> keyed(then, more);
            case AFTER_VALUE -> more.mayEnd() ? at(then, frame) : null;
            default -> new SchemaPrefix(then, root, frame, more);
        };
    }

    private @Nullable SchemaPrefix key(JsonPrefix then) {
        if (frame == null || !(frame.schema instanceof Schema.ObjectValue object)) {
            return at(then, frame);
        }
        List<Option> options = object.next(frame.place).stream()
                .map(i -> new Option(i, object.properties().get(i).key()))
                .toList();
        return options.isEmpty() ? null : new SchemaPrefix(then, root, frame, new Remainder(options, false));
    }

    private @Nullable SchemaPrefix keyed(JsonPrefix then, Remainder key) {
        if (frame == null || key.options == null || !(frame.schema instanceof Schema.ObjectValue object)) {
            return at(then, frame);
        }
        int property = key.options.get(0).property;
        Schema value = object.properties().get(property).schema();
        return at(then, new Frame(object, property + 1, value, frame.outer));
    }

    private @Nullable SchemaPrefix value(JsonPrefix then, int b) {
        Frame around = frame;
        if (around != null && around.schema instanceof Schema.ArrayValue array) {
            if (around.place == array.maxItems()) {
                return null;
            }
            around = new Frame(array, around.place + 1, around.value, around.outer);
        }
        return value(then, b, around == null ? root : around.value, around);
    }

    private @Nullable SchemaPrefix value(JsonPrefix then, int b, Schema schema, @Nullable Frame around) {
        if (!schema.mayBegin(b)) {
            return null;
        }
        if (schema instanceof Schema.AnyOf anyOf) {
            return anyOf.options().stream()
                    .filter(option -> option.mayBegin(b))
                    .findFirst()
                    .map(option -> value(then, b, option, around))
                    .orElse(null);
        }
        if (b == '{' || b == '[') {
            Schema inner = schema instanceof Schema.ArrayValue array ? array.items() : Schema.ANY;
            return at(then, new Frame(schema, 0, inner, around));
        }
        Remainder begun = schema instanceof Schema.EnumValue one
                ? new Remainder(
                                one.literals().stream()
                                        .map(text -> new Option(-1, text))
                                        .toList(),
                                false)
                        .advance(b)
                : new Remainder(null, schema instanceof Schema.NumberValue number && number.integer());
        return begun == null ? null : new SchemaPrefix(then, root, around, begun);
    }

    private @Nullable SchemaPrefix afterValue(JsonPrefix then, int b) {
        if (JsonPrefix.isSpace(b)) {
            return at(then, frame);
        }
        if (b != ',' || frame == null) {
            return close(then);
        }
        boolean more = frame.schema instanceof Schema.ObjectValue object
                ? frame.place < object.properties().size()
                : !(frame.schema instanceof Schema.ArrayValue array) || frame.place < array.maxItems();
        return more ? at(then, frame) : null;
    }

    private @Nullable SchemaPrefix close(JsonPrefix then) {
        if (frame == null) {
            return null;
        }
        boolean may = frame.schema instanceof Schema.ObjectValue object
                ? object.mayEnd(frame.place)
                : !(frame.schema instanceof Schema.ArrayValue array) || frame.place >= array.minItems();
        return may ? at(then, frame.outer) : null;
    }
}
