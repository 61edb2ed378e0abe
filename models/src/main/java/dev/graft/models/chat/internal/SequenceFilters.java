package dev.graft.models.chat.internal;

import dev.graft.models.chat.internal.TemplateValues.Lazy;
import dev.graft.models.chat.internal.TemplateValues.Tuple;
import dev.graft.models.chat.internal.TemplateValues.Undefined;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** Filters over several values. */
final class SequenceFilters {

    static final Set<String> NAMES = Set.of(
            "join",
            "length",
            "count",
            "list",
            "items",
            "map",
            "select",
            "reject",
            "selectattr",
            "rejectattr",
            "first",
            "last",
            "unique",
            "dictsort",
            "sum",
            "sort",
            "reverse",
            "batch",
            "min",
            "max");

    private SequenceFilters() {}

    /** A filter that is applied to each item. */
    interface ItemFilter {
        @Nullable
        Object apply(
                @Nullable Object value,
                String name,
                List<@Nullable Object> positional,
                Map<String, @Nullable Object> named);
    }

    static @Nullable Object apply(@Nullable Object value, String name, CallArguments a, ItemFilter filters) {
        return switch (name) {
            case "length", "count" -> PythonSequences.length(value);
            case "list" -> PythonSequences.items(value);
            case "join" -> join(value, a);
            case "items" -> {
                if (!(value instanceof Map) && !(value instanceof Undefined)) {
                    throw new TemplateError("items of a " + TemplateValues.type(value) + ", expected a dict");
                }
                yield new Lazy(value instanceof Map<?, ?> map ? PythonMethods.pairs(map) : List.of());
            }
            case "first" -> {
                List<@Nullable Object> items = PythonSequences.items(value);
                yield items.isEmpty() ? new Undefined("No first item, sequence was empty.") : items.get(0);
            }
            case "last" -> {
                if (value instanceof Lazy) {
                    throw new TemplateError("last of a generator; use | list | last");
                }
                List<@Nullable Object> items = PythonSequences.items(value);
                yield items.isEmpty()
                        ? new Undefined("No last item, sequence was empty.")
                        : items.get(items.size() - 1);
            }
            case "map" -> map(value, a, filters);
            case "select", "reject" -> select(value, item -> item, name.equals("select"), a);
            case "selectattr", "rejectattr" -> {
                Object attribute = a.require("attribute");
                yield select(value, item -> Attributes.path(item, attribute), name.equals("selectattr"), a);
            }
            case "reverse" -> {
                List<@Nullable Object> items = PythonSequences.items(value);
                Collections.reverse(items = new ArrayList<>(items));
                if (value instanceof String) {
                    StringBuilder text = new StringBuilder();
                    items.forEach(text::append);
                    yield text.toString();
                }
                yield new Lazy(items);
            }
            case "sum" -> {
                Object attribute = a.next("attribute", null);
                Object sum = a.next("start", 0L);
                for (Object item : PythonSequences.items(value)) {
                    sum = PythonOperators.binary("+", sum, attribute == null ? item : Attributes.path(item, attribute));
                }
                yield sum;
            }
            case "sort" -> {
                boolean reverse = a.truth("reverse", false);
                boolean caseSensitive = a.truth("case_sensitive", false);
                Object attribute = a.next("attribute", null);
                yield sorted(
                        PythonSequences.items(value),
                        item -> attribute == null ? item : Attributes.path(item, attribute),
                        caseSensitive,
                        reverse);
            }
            case "dictsort" -> dictSort(value, a);
            case "unique" -> unique(value, a);
            case "min", "max" -> {
                boolean caseSensitive = a.truth("case_sensitive", false);
                Object attribute = a.next("attribute", null);
                List<@Nullable Object> sorted = sorted(
                        PythonSequences.items(value),
                        item -> attribute == null ? item : Attributes.path(item, attribute),
                        caseSensitive,
                        name.equals("max"));
                yield sorted.isEmpty() ? new Undefined("No aggregated item, sequence was empty.") : sorted.get(0);
            }
            case "batch" -> batch(value, a);
            default -> throw new IllegalArgumentException(name);
        };
    }

    private static String join(@Nullable Object value, CallArguments a) {
        String separator = PythonRepr.str(a.next("d", ""));
        Object attribute = a.next("attribute", null);
        StringBuilder out = new StringBuilder();
        boolean first = true;
        for (Object item : PythonSequences.items(value)) {
            out.append(first ? "" : separator)
                    .append(PythonRepr.str(attribute == null ? item : Attributes.path(item, attribute)));
            first = false;
        }
        return out.toString();
    }

    private static Lazy map(@Nullable Object value, CallArguments a, ItemFilter filters) {
        List<@Nullable Object> out = new ArrayList<>();
        if (a.hasNamed("attribute")) {
            Object attribute = a.named("attribute");
            boolean hasDefault = a.hasNamed("default");
            Object fallback = a.named("default");
            for (Object item : PythonSequences.items(value)) {
                Object found = Attributes.path(item, attribute);
                out.add(found instanceof Undefined && hasDefault ? fallback : found);
            }
            return new Lazy(out);
        }
        String filter = a.string("filter");
        List<@Nullable Object> positional = a.rest();
        Map<String, @Nullable Object> named = a.restNamed();
        PythonSequences.items(value).forEach(item -> out.add(filters.apply(item, filter, positional, named)));
        return new Lazy(out);
    }

    private static Lazy select(
            @Nullable Object value, UnaryOperator<@Nullable Object> key, boolean wanted, CallArguments a) {
        String test = a.string("test", null);
        List<@Nullable Object> positional = a.rest();
        Map<String, @Nullable Object> named = a.restNamed();
        List<@Nullable Object> out = new ArrayList<>();
        for (Object item : PythonSequences.items(value)) {
            Object tested = key.apply(item);
            if ((test == null ? PythonOperators.truth(tested) : JinjaTests.test(tested, test, positional, named))
                    == wanted) {
                out.add(item);
            }
        }
        return new Lazy(out);
    }

    private static List<@Nullable Object> sorted(
            List<@Nullable Object> items, UnaryOperator<@Nullable Object> key, boolean caseSensitive, boolean reverse) {
        Comparator<@Nullable Object> order = (x, y) ->
                PythonOperators.order("<", folded(key.apply(x), caseSensitive), folded(key.apply(y), caseSensitive));
        List<@Nullable Object> sorted = new ArrayList<>(items);
        sorted.sort(reverse ? order.reversed() : order);
        return sorted;
    }

    private static @Nullable Object folded(@Nullable Object value, boolean caseSensitive) {
        return value instanceof String text && !caseSensitive ? PythonString.lower(text) : value;
    }

    private static List<@Nullable Object> dictSort(@Nullable Object value, CallArguments a) {
        boolean caseSensitive = a.truth("case_sensitive", false);
        String by = a.string("by", "key");
        boolean reverse = a.truth("reverse", false);
        if (!"key".equals(by) && !"value".equals(by)) {
            throw new TemplateError("dictsort is by 'key' or 'value', not " + by);
        }
        TemplateValues.requireDefined(value);
        if (!(value instanceof Map<?, ?> map)) {
            throw new TemplateError("dictsort of a " + TemplateValues.type(value) + ", expected a dict");
        }
        int part = "key".equals(by) ? 0 : 1;
        return sorted(
                PythonMethods.pairs(map),
                pair -> pair instanceof Tuple tuple ? tuple.get(part) : pair,
                caseSensitive,
                reverse);
    }

    private static Lazy unique(@Nullable Object value, CallArguments a) {
        boolean caseSensitive = a.truth("case_sensitive", false);
        Object attribute = a.next("attribute", null);
        List<@Nullable Object> seen = new ArrayList<>();
        List<@Nullable Object> out = new ArrayList<>();
        for (Object item : PythonSequences.items(value)) {
            Object key = folded(attribute == null ? item : Attributes.path(item, attribute), caseSensitive);
            if (seen.stream().noneMatch(other -> PythonOperators.equal(other, key))) {
                seen.add(key);
                out.add(item);
            }
        }
        return new Lazy(out);
    }

    private static Lazy batch(@Nullable Object value, CallArguments a) {
        int size = (int) PythonSequences.index(a.require("linecount"));
        Object filler = a.next("fill_with", null);
        if (size < 1) {
            throw new TemplateError("batch of " + size + " items");
        }
        List<@Nullable Object> items = PythonSequences.items(value);
        List<@Nullable Object> batches = new ArrayList<>();
        for (int from = 0; from < items.size(); from += size) {
            List<@Nullable Object> batch = new ArrayList<>(items.subList(from, Math.min(items.size(), from + size)));
            while (filler != null && batch.size() < size) {
                batch.add(filler);
            }
            batches.add(batch);
        }
        return new Lazy(batches);
    }
}
