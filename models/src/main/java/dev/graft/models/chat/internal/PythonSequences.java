package dev.graft.models.chat.internal;

import dev.graft.models.chat.internal.TemplateValues.Lazy;
import dev.graft.models.chat.internal.TemplateValues.Range;
import dev.graft.models.chat.internal.TemplateValues.Tuple;
import dev.graft.models.chat.internal.TemplateValues.Undefined;
import dev.graft.models.chat.internal.TemplateValues.View;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Iteration, length, indexes and slices of sequences. */
final class PythonSequences {

    /** The maximum length of a range, as in jinja2's sandbox. */
    private static final long MAX_RANGE = 100_000;

    private PythonSequences() {}

    /** Returns the items in order: the characters of a str, the keys of a dict, none of an undefined value. */
    static List<@Nullable Object> items(@Nullable Object value) {
        if (value instanceof List<?> list) {
            return new ArrayList<>(list);
        }
        if (value instanceof String text) {
            return new ArrayList<>(PythonString.characters(text));
        }
        if (value instanceof Map<?, ?> map) {
            return new ArrayList<>(map.keySet());
        }
        if (value instanceof View view) {
            return view.items();
        }
        if (value instanceof Lazy lazy) {
            return lazy.take();
        }
        if (value instanceof Undefined) {
            return List.of();
        }
        throw new TemplateError("a " + TemplateValues.type(value) + " is not iterable");
    }

    static boolean isIterable(@Nullable Object value) {
        return value instanceof List
                || value instanceof String
                || value instanceof Map
                || value instanceof View
                || value instanceof Lazy
                || value instanceof Undefined;
    }

    static long length(@Nullable Object value) {
        if (value instanceof String text) {
            return PythonString.length(text);
        }
        if (value instanceof List<?> list) {
            return list.size();
        }
        if (value instanceof Map<?, ?> map) {
            return map.size();
        }
        if (value instanceof View view) {
            return view.items().size();
        }
        if (value instanceof Undefined) {
            return 0;
        }
        throw new TemplateError("a " + TemplateValues.type(value) + " has no length");
    }

    /** Returns the item at an index, counted from the end if negative; undefined if out of range. */
    static @Nullable Object at(@Nullable Object value, long index) {
        int size = (int) length(value);
        long at = index < 0 ? index + size : index;
        if (at < 0 || at >= size) {
            return new Undefined(TemplateValues.type(value) + " of " + size + " has no item " + index);
        }
        if (value instanceof String text) {
            int from = text.offsetByCodePoints(0, (int) at);
            return text.substring(from, text.offsetByCodePoints(from, 1));
        }
        return ((List<?>) java.util.Objects.requireNonNull(value)).get((int) at);
    }

    static Object slice(@Nullable Object value, @Nullable Object from, @Nullable Object to, @Nullable Object step) {
        TemplateValues.requireDefined(value);
        if (!(value instanceof String) && !(value instanceof List)) {
            throw new TemplateError("a " + TemplateValues.type(value) + " cannot be sliced");
        }
        long by = step == null ? 1 : index(step);
        if (by == 0) {
            throw new TemplateError("a slice with step 0");
        }
        long size = length(value);
        long first = from == null ? (by > 0 ? 0 : size - 1) : bound(index(from), size, by);
        long last = to == null ? (by > 0 ? size : -1) : bound(index(to), size, by);
        List<@Nullable Object> items = items(value);
        List<@Nullable Object> cut = new ArrayList<>();
        for (long i = first; by > 0 ? i < last : i > last; i += by) {
            cut.add(items.get((int) i));
        }
        if (value instanceof String) {
            StringBuilder text = new StringBuilder();
            cut.forEach(text::append);
            return text.toString();
        }
        return value instanceof Tuple ? new Tuple(cut) : cut;
    }

    private static long bound(long index, long size, long step) {
        long at = index < 0 ? index + size : index;
        return step > 0 ? Math.max(0, Math.min(at, size)) : Math.max(-1, Math.min(at, size - 1));
    }

    /** Returns an int in the range of a list. */
    static long index(@Nullable Object value) {
        TemplateValues.requireDefined(value);
        if (value instanceof Long number) {
            return Math.max(Integer.MIN_VALUE, Math.min(Integer.MAX_VALUE, number));
        }
        if (value instanceof Boolean truth) {
            return truth ? 1 : 0;
        }
        throw new TemplateError("expected an int, not " + TemplateValues.type(value));
    }

    static Range range(List<@Nullable Object> arguments) {
        if (arguments.isEmpty() || arguments.size() > 3) {
            throw new TemplateError("range takes 1 to 3 arguments, not " + arguments.size());
        }
        long from = arguments.size() == 1 ? 0 : index(arguments.get(0));
        long to = index(arguments.get(arguments.size() == 1 ? 0 : 1));
        long step = arguments.size() == 3 ? index(arguments.get(2)) : 1;
        if (step == 0) {
            throw new TemplateError("range with step 0");
        }
        long size = Math.max(0, step > 0 ? (to - from + step - 1) / step : (from - to - step - 1) / -step);
        if (size > MAX_RANGE) {
            throw new TemplateError("range of " + size + " is longer than " + MAX_RANGE);
        }
        return new Range(from, to, step, (int) size);
    }
}
