package dev.graft.run.config;

import dev.graft.formats.InputException;
import dev.graft.run.config.YamlValue.Mapping;
import dev.graft.run.config.YamlValue.Scalar;
import dev.graft.run.config.YamlValue.Sequence;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.api.lowlevel.Parse;
import org.snakeyaml.engine.v2.common.Anchor;
import org.snakeyaml.engine.v2.events.AliasEvent;
import org.snakeyaml.engine.v2.events.Event;
import org.snakeyaml.engine.v2.events.MappingStartEvent;
import org.snakeyaml.engine.v2.events.NodeEvent;
import org.snakeyaml.engine.v2.events.ScalarEvent;
import org.snakeyaml.engine.v2.events.SequenceStartEvent;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;

/**
 * Reads one YAML 1.2 document into values that know their lines. It is stricter than YAML to reveal mistakes. Duplicate keys in a mapping,
 * tags other than {@code !!str}, deep nesting and documents that grow by aliases are rejected.
 */
final class Yaml {
    private static final int MAX_DEPTH = 32;
    private static final int MAX_VALUES = 20_000;
    private static final int MAX_CHARACTERS = 1 << 20;
    private static final String STRING_TAG = "tag:yaml.org,2002:str";

    private final String source;
    private final Iterator<Event> events;
    private final Map<Anchor, YamlValue> anchored = new HashMap<>();

    private Yaml(String source, String text) {
        this.source = source;
        this.events = new Parse(LoadSettings.builder().setLabel(source).build())
                .parseString(text)
                .iterator();
    }

    /**
     * The document in {@code text}; an empty one is a null scalar.
     *
     * @param source what error messages call the text, usually its file
     * @throws InputException naming the source and the line of what is wrong
     */
    static YamlValue read(String source, String text) {
        if (text.length() > MAX_CHARACTERS) {
            throw new InputException(source + " has " + text.length() + " characters, expected a YAML file of at most "
                    + MAX_CHARACTERS + "; is this the right file?");
        }
        try {
            return new Yaml(source, text).document();
        } catch (MarkedYamlEngineException e) {
            String at =
                    e.getProblemMark().map(mark -> ":" + (mark.getLine() + 1)).orElse("");
            String context =
                    Optional.ofNullable(e.getContext()).map(c -> " (" + c + ")").orElse("");
            throw new InputException(source + at + ": not YAML: " + e.getProblem() + context, e);
        } catch (YamlEngineException | IndexOutOfBoundsException | IllegalArgumentException e) {
            // The engine lets the latter two out of half-written escapes.
            throw new InputException(source + ": not YAML: " + e.getMessage(), e);
        }
    }

    /** A value on a command line: a list in [], a mapping in {}, or a scalar, which may hold any character. */
    static YamlValue inline(String source, String text) {
        if (text.startsWith("[") || text.startsWith("{")) {
            return read(source, text);
        }
        boolean quoted = text.length() > 1 && text.startsWith("\"") && text.endsWith("\"");
        return new Scalar(quoted ? text.substring(1, text.length() - 1) : text, quoted, 1);
    }

    private YamlValue document() {
        YamlValue root = new Scalar("", false, 1);
        boolean seen = false;
        while (events.hasNext()) {
            Event event = events.next();
            switch (event.getEventId()) {
                case DocumentStart -> {
                    if (seen) {
                        throw fault(event, "a second document starts here, expected one");
                    }
                    seen = true;
                    root = value(events.next(), 0);
                }
                case StreamStart, StreamEnd, DocumentEnd, Comment -> {}
                default -> throw new IllegalStateException("unexpected " + event);
            }
        }
        return root;
    }

    private YamlValue value(Event event, int depth) {
        if (depth > MAX_DEPTH) {
            throw fault(event, "nested deeper than " + MAX_DEPTH);
        }
        if (event instanceof AliasEvent alias) {
            YamlValue value = anchored.get(alias.getAlias());
            if (value == null) {
                throw fault(event, "*" + alias.getAlias().getValue() + " names nothing that is complete before it");
            }
            return value;
        }
        YamlValue value;
        if (event instanceof ScalarEvent scalar) {
            boolean string = refuseTags(event, scalar.getTag());
            value = new Scalar(scalar.getValue(), string || !scalar.isPlain(), line(event));
        } else if (event instanceof SequenceStartEvent start) {
            refuseTags(event, start.getTag());
            value = sequence(event, depth);
        } else if (event instanceof MappingStartEvent start) {
            refuseTags(event, start.getTag());
            value = mapping(event, depth);
        } else {
            throw new IllegalStateException("unexpected " + event);
        }
        if (value.size() > MAX_VALUES) {
            throw fault(event, "more than " + MAX_VALUES + " values");
        }
        ((NodeEvent) event).getAnchor().ifPresent(anchor -> anchored.put(anchor, value));
        return value;
    }

    private Sequence sequence(Event start, int depth) {
        List<YamlValue> items = new ArrayList<>();
        int size = 1;
        for (Event event = events.next(); event.getEventId() != Event.ID.SequenceEnd; event = events.next()) {
            YamlValue item = value(event, depth + 1);
            items.add(item);
            size = grown(start, size, item);
        }
        return new Sequence(List.copyOf(items), line(start), size);
    }

    private Mapping mapping(Event start, int depth) {
        Map<String, Mapping.Entry> entries = new LinkedHashMap<>();
        int size = 1;
        for (Event event = events.next(); event.getEventId() != Event.ID.MappingEnd; event = events.next()) {
            if (!(event instanceof ScalarEvent)) {
                throw fault(event, "a key must be a word");
            }
            String key = ((Scalar) value(event, depth + 1)).text();
            YamlValue value = value(events.next(), depth + 1);
            Mapping.Entry earlier = entries.putIfAbsent(key, new Mapping.Entry(value, line(event)));
            if (earlier != null) {
                throw fault(event, key + " is given twice, first on line " + earlier.keyLine());
            }
            size = grown(start, size, value);
        }
        return new Mapping(entries, line(start), size);
    }

    private int grown(Event start, int size, YamlValue child) {
        // Both at most MAX_VALUES: the sum can't overflow.
        if (size + child.size() > MAX_VALUES) {
            throw fault(start, "more than " + MAX_VALUES + " values, aliases counted by what they stand for");
        }
        return size + child.size();
    }

    private boolean refuseTags(Event event, Optional<String> tag) {
        if (tag.isPresent() && !tag.get().equals("!") && !tag.get().equals(STRING_TAG)) {
            throw fault(event, "tag " + tag.get() + " is not supported; remove it");
        }
        return tag.isPresent();
    }

    private InputException fault(Event event, String what) {
        return new InputException(source + ":" + line(event) + ": " + what);
    }

    private static int line(Event event) {
        return event.getStartMark().map(mark -> mark.getLine() + 1).orElse(1);
    }
}
