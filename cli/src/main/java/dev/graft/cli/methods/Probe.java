package dev.graft.cli.methods;

import dev.graft.cli.config.ConfigReader;
import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Method;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Finds out by trying what a method takes and where it acts: nothing about a method is written down twice. */
final class Probe {
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    /**
     * An option of a method.
     *
     * @param byDefault its value where nothing is given
     * @param fromBase whether the default is another one on another base
     */
    record Option(String name, JsonNode byDefault, boolean fromBase) {}

    private final Method.Type type;
    private final Base base = ProbeBase.of(1);
    private final Base larger = ProbeBase.of(2);

    Probe(Method.Type type) {
        this.type = type;
    }

    private ObjectNode defaults(Base on) {
        ObjectNode known = ChosenMethod.defaults(type, on);
        ObjectNode given = known.deepCopy();
        ConfigReader.methodOptions(type.name(), Map.of(), notice -> {})
                .forEach((option, value) ->
                        given.set(ChosenMethod.field(type, option, known), ChosenMethod.node(value)));
        return given;
    }

    /** The kinds of the sites at which it acts on a Llama: {@code linear}, {@code norm}, … */
    Set<String> actsOn() {
        Set<String> kinds = new TreeSet<>();
        for (Site site : Adapter.create(base, method(defaults(base), base), 0).sites()) {
            kinds.add(site.getClass().getSimpleName().toLowerCase(Locale.ROOT));
        }
        return kinds;
    }

    /** What can be set: a field that makes another method when it has another value, or that refuses other values by name. */
    List<Option> options() {
        ObjectNode written = write(defaults(base), base);
        ObjectNode trial = written.deepCopy();
        ObjectNode elsewhere = write(defaults(larger), larger);
        Map<String, Option> options = new TreeMap<>();
        // Some fields can be set only beside others, so what was found stays set.
        boolean found = true;
        while (found) {
            found = false;
            for (Map.Entry<String, JsonNode> field : written.properties()) {
                String name = ChosenMethod.option(type, field.getKey(), written);
                JsonNode value = field.getValue();
                JsonNode other = options.containsKey(name) ? null : otherValue(trial, field.getKey(), value);
                if (other != null) {
                    options.put(name, new Option(name, value, !value.equals(elsewhere.get(field.getKey()))));
                    found = true;
                    if (value.isNull() || other.isArray()) {
                        trial.set(field.getKey(), other);
                    }
                }
            }
        }
        return List.copyOf(options.values());
    }

    /** A value under which the method is another one, or that it refuses for its content; null if the field means nothing. */
    private @Nullable JsonNode otherValue(ObjectNode config, String field, JsonNode value) {
        for (JsonNode candidate : candidates(value)) {
            ObjectNode changed = config.deepCopy();
            changed.set(field, candidate);
            try {
                Fields fields = Fields.of("probe", changed);
                if (!type.reads(fields)) {
                    continue;
                }
                if (!write(changed, base).path(field).equals(value)) {
                    return candidate;
                }
            } catch (InputException refused) {
                // A text that isn't one of a list of names: the field chooses among those.
                if (value.isString() && candidate.isString()) {
                    return value;
                }
            }
        }
        return null;
    }

    private static List<JsonNode> candidates(JsonNode value) {
        if (value.isBoolean()) {
            return List.of(NODES.booleanNode(!value.booleanValue()));
        } else if (value.isInt()) {
            return List.of(NODES.numberNode(value.intValue() + 1), NODES.numberNode(0.5), NODES.numberNode(0.0));
        } else if (value.isNumber()) {
            return List.of(NODES.numberNode(value.doubleValue() / 2 + 0.25));
        } else if (value.isString()) {
            return List.of(NODES.arrayNode().add("q_proj"), NODES.stringNode("q_proj"));
        } else if (value.isArray()) {
            return List.of(NODES.arrayNode().add("q_proj"), NODES.arrayNode().add(0));
        } else if (value.isObject()) {
            return List.of(NODES.objectNode().put("q_proj", 1));
        }
        return List.of(
                NODES.numberNode(1),
                NODES.stringNode("layers"),
                NODES.arrayNode().add("k_proj"),
                NODES.arrayNode().add(0),
                NODES.booleanNode(true));
    }

    private ObjectNode write(ObjectNode config, Base on) {
        ObjectNode written = NODES.objectNode();
        method(config, on).write(written, on);
        return written;
    }

    private Method method(ObjectNode config, Base on) {
        return type.read(Fields.of("options of " + type.name(), config), on);
    }
}
