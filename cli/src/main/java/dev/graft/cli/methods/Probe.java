package dev.graft.cli.methods;

import dev.graft.cli.config.ConfigReader;
import dev.graft.cli.config.RunConfig;
import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Finds out by trying what a method takes and where it acts: nothing about a method is written down twice. */
final class Probe {
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    /** What a refusal says of the names that a field chooses among. */
    private static final Pattern CHOICES =
            Pattern.compile("expected (?:one of )?(\"[\\w.-]+\"(?:(?:, | or )\"[\\w.-]+\")*)");

    private final Method.Type type;
    private final Base base = ProbeBase.of(2, 256);
    private final Base larger = ProbeBase.of(3, 512);

    Probe(Method.Type type) {
        this.type = type;
    }

    private ObjectNode defaults(Base on) {
        ObjectNode known = ChosenMethod.defaults(type, on);
        ObjectNode given = known.deepCopy();
        for (String field : type.required()) {
            if (known.path(field).isArray() && known.path(field).isEmpty()) {
                // What has no default must be something for the method to act at all.
                given.putArray(field).add(1);
            }
        }
        ConfigReader.methodOptions(type.name(), RunConfig.Compat.GRAFT, Map.of(), notice -> {})
                .forEach((option, value) ->
                        given.set(ChosenMethod.field(type, option, known), ChosenMethod.node(value)));
        return given;
    }

    /** On a Llama, or on a BERT where it is a method of encoders alone. */
    private Adapter adapter() {
        Base on = type.capabilities().decoder() ? base : ProbeBase.encoder();
        return Adapter.create(on, method(defaults(on), on), 0);
    }

    /** The kinds of the sites at which it acts, as it is or where its targets are such: {@code linear}, {@code norm}, … */
    Set<String> actsOn() {
        Set<String> kinds = kinds(adapter());
        if (defaults(base).has("target_modules")) {
            Base images = ProbeBase.images();
            Base texts = ProbeBase.encoder();
            kinds.addAll(actsOn(images, "patch_embeddings.projection"));
            kinds.addAll(actsOn(texts, "word_embeddings"));
        }
        return kinds;
    }

    /** The kinds of the sites at which it acts with one module as its target; none where it refuses that. */
    private Set<String> actsOn(Base on, String target) {
        ObjectNode config = defaults(on);
        config.putArray("target_modules").add(target);
        try {
            return kinds(Adapter.create(on, method(config, on), 0));
        } catch (InputException refused) {
            return Set.of();
        }
    }

    private static Set<String> kinds(Adapter adapter) {
        Set<String> kinds = new TreeSet<>();
        for (Site site : adapter.sites()) {
            kinds.add(site.getClass().getSimpleName().toLowerCase(Locale.ROOT));
        }
        return kinds;
    }

    /** The kinds of its effects: {@code delta}, {@code prompt}, … */
    Set<String> effects() {
        return adapter().effects();
    }

    /** What it says of itself. */
    SourceDoc documentation() {
        return SourceDoc.of(type.defaults().getClass());
    }

    /** What can be set: a field that makes another method when it has another value. */
    List<Option> options() {
        ObjectNode written = write(defaults(base), base);
        type.optional().keySet().forEach(written::remove);
        ObjectNode trial = written.deepCopy();
        ObjectNode elsewhere = write(defaults(larger), larger);
        ObjectNode peft = peft();
        Map<String, Option> options = new TreeMap<>();
        // Some fields can be set only beside others, so what was found stays set.
        boolean found = true;
        while (found) {
            found = false;
            for (Map.Entry<String, JsonNode> field : written.properties()) {
                String name = ChosenMethod.option(type, field.getKey(), written);
                JsonNode value = field.getValue();
                Difference other = options.containsKey(name) ? null : difference(trial, field.getKey(), value);
                if (other != null) {
                    boolean fromBase = elsewhere.has(field.getKey()) && !value.equals(elsewhere.get(field.getKey()));
                    options.put(
                            name,
                            new Option(
                                    name,
                                    value,
                                    fromBase,
                                    peft == null ? null : peft.get(field.getKey()),
                                    Option.type(value, other.setting, other.choices),
                                    other.setting == null ? "" : other.setting.meaning()));
                    found = true;
                    if (value.isNull() || other.value.isArray()) {
                        trial.set(field.getKey(), other.value);
                    }
                }
            }
        }
        type.optional()
                .forEach((name, meaning) -> options.put(
                        name, new Option(name, NODES.nullNode(), false, null, "only where it is given", meaning)));
        return List.copyOf(options.values());
    }

    /** The fields that PEFT has where nothing is given but what must be; null where it doesn't know the method. */
    private @Nullable ObjectNode peft() {
        if (type.layout() == Method.Layout.ADAPTER_HUB) {
            return null;
        }
        ObjectNode least = NODES.objectNode();
        ObjectNode ours = ChosenMethod.defaults(type, base);
        try {
            return write(least, base);
        } catch (InputException lacksWhatMustBe) {
            type.required().forEach(field -> least.set(field, ours.path(field)));
        }
        try {
            ObjectNode theirs = write(least, base);
            type.required().forEach(theirs::remove);
            return theirs;
        } catch (InputException lacksMore) {
            return null;
        }
    }

    /**
     * Another value of a field.
     *
     * @param setting what it changes, or null if that isn't known
     * @param choices the names that the field chooses among; empty where it takes any
     */
    private record Difference(JsonNode value, Option.@Nullable Setting setting, List<String> choices) {}

    /** A value under which the method is another one; null if the field means nothing or takes no other value. */
    private @Nullable Difference difference(ObjectNode config, String field, JsonNode value) {
        List<JsonNode> candidates = new ArrayList<>(candidates(value));
        List<String> choices = List.of();
        for (int i = 0; i < candidates.size(); i++) {
            JsonNode candidate = candidates.get(i);
            ObjectNode changed = config.deepCopy();
            changed.set(field, candidate);
            try {
                Fields fields = Fields.of("probe", changed);
                if (!type.reads(fields)) {
                    continue;
                }
                Method other = method(changed, base);
                JsonNode now = ChosenMethod.written(other, base).path(field);
                if (!now.equals(value) && !(now.isMissingNode() && value.isNull())) {
                    return new Difference(candidate, Option.Setting.between(method(config, base), other), choices);
                }
            } catch (InputException refused) {
                Matcher named = CHOICES.matcher(String.valueOf(refused.getMessage()));
                if (candidate.isString()
                        && named.find()
                        && choices.isEmpty()
                        && String.valueOf(refused.getMessage()).contains(field)) {
                    choices = List.of(named.group(1).replace("\"", "").split(", | or "));
                    choices.forEach(choice -> candidates.add(NODES.stringNode(choice)));
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
            return List.of(
                    NODES.arrayNode().add("q_proj"),
                    NODES.stringNode("q_proj"),
                    NODES.arrayNode().add(0));
        } else if (value.isArray()) {
            return List.of(
                    NODES.arrayNode().add("q_proj"),
                    NODES.arrayNode().add(0),
                    NODES.arrayNode().add(1));
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
        return ChosenMethod.written(method(config, on), on);
    }

    private Method method(ObjectNode config, Base on) {
        return type.read(Fields.of("options of " + type.name(), config), on);
    }
}
