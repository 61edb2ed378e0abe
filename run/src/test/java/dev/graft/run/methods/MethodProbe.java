package dev.graft.run.methods;

import dev.graft.formats.FieldException;
import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Method;
import dev.graft.run.config.ConfigReader;
import dev.graft.run.config.RunConfig;
import java.util.ArrayList;
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

/** Finds out by trying what a method takes and where it acts, for the catalogue. */
final class MethodProbe {
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    private static final Base BASE = ProbeBase.of(2, 256);
    private static final Base LARGER = ProbeBase.of(3, 512);
    private static final Base TEXTS = ProbeEncoders.bert();
    private static final Base IMAGES = ProbeEncoders.vit();

    private final Method.Type type;

    MethodProbe(Method.Type type) {
        this.type = type;
    }

    private ObjectNode defaults(Base on) {
        ObjectNode known = MethodFactory.defaults(type, on);
        ObjectNode given = known.deepCopy();
        for (String field : type.required()) {
            if (known.path(field).isArray() && known.path(field).isEmpty()) {
                // What has no default must be something for the method to act at all.
                given.putArray(field).add(1);
            }
        }
        ConfigReader.methodOptions(type.name(), RunConfig.Compat.GRAFT, Map.of(), notice -> {})
                .forEach((option, value) ->
                        given.set(MethodFactory.field(type, option, known), MethodFactory.node(value)));
        return given;
    }

    /** On a Llama, or on a BERT where it is a method of encoders alone. */
    private Adapter adapter() {
        Base on = type.capabilities().decoder() ? BASE : TEXTS;
        return Adapter.create(on, method(defaults(on), on), 0);
    }

    /** The kinds of the sites at which it acts, as it is or where its targets are such: {@code linear}, {@code norm}, … */
    Set<String> adaptedKinds() {
        Set<String> kinds = kinds(adapter());
        if (defaults(BASE).has("target_modules")) {
            kinds.addAll(adaptedKinds(IMAGES, "patch_embeddings.projection"));
            kinds.addAll(adaptedKinds(TEXTS, "word_embeddings"));
        }
        return kinds;
    }

    /** The kinds of the sites at which it acts with one module as its target; none where it refuses that. */
    private Set<String> adaptedKinds(Base on, String target) {
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

    /** The folder of its family in {@code peft/methods}. */
    String family() {
        String folder = type.getClass().getPackageName();
        return folder.substring(folder.lastIndexOf('.') + 1);
    }

    /** The kinds of its effects: {@code delta}, {@code prompt}, … */
    Set<String> effects() {
        return adapter().effects();
    }

    /** The method's own documentation. */
    RecordJavadoc documentation() {
        return RecordJavadoc.of(type.defaults().getClass());
    }

    /** The options: each field whose value changes the method. */
    List<MethodOption> options() {
        ObjectNode written = write(defaults(BASE), BASE);
        type.optional().keySet().forEach(written::remove);
        ObjectNode trial = written.deepCopy();
        ObjectNode elsewhere = write(defaults(LARGER), LARGER);
        ObjectNode peft = peft();
        Map<String, MethodOption> options = new TreeMap<>();
        // Some fields can be set only beside others, so what was found stays set.
        boolean found = true;
        while (found) {
            found = false;
            for (Map.Entry<String, JsonNode> field : written.properties()) {
                String name = MethodFactory.option(type, field.getKey(), written);
                JsonNode value = field.getValue();
                Difference other = options.containsKey(name) ? null : difference(trial, field.getKey(), value);
                if (other != null) {
                    boolean fromBase = elsewhere.has(field.getKey()) && !value.equals(elsewhere.get(field.getKey()));
                    options.put(
                            name,
                            new MethodOption(
                                    name,
                                    value,
                                    fromBase,
                                    peft == null ? null : peft.get(field.getKey()),
                                    ChangedSetting.type(value, other.setting, other.choices),
                                    other.setting == null ? "" : other.setting.meaning()));
                    found = true;
                    if (value.isNull() || other.value.isArray()) {
                        trial.set(field.getKey(), other.value);
                    }
                }
            }
        }
        type.optional().forEach((name, meaning) -> options.put(name, MethodOption.withoutDefault(name, meaning)));
        return List.copyOf(options.values());
    }

    /** The fields that PEFT has where nothing is given but what must be; null where it doesn't know the method. */
    private @Nullable ObjectNode peft() {
        if (type.layout() == Method.Layout.ADAPTER_HUB) {
            return null;
        }
        ObjectNode least = NODES.objectNode();
        ObjectNode ours = MethodFactory.defaults(type, BASE);
        try {
            return write(least, BASE);
        } catch (InputException lacksWhatMustBe) {
            type.required().forEach(field -> least.set(field, ours.path(field)));
        }
        try {
            ObjectNode theirs = write(least, BASE);
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
    private record Difference(JsonNode value, @Nullable ChangedSetting setting, List<String> choices) {}

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
                if (!type.matches(fields)) {
                    continue;
                }
                Method other = method(changed, BASE);
                JsonNode now = MethodFactory.written(other, BASE).path(field);
                if (!now.equals(value) && !(now.isMissingNode() && value.isNull())) {
                    return new Difference(candidate, ChangedSetting.between(method(config, BASE), other), choices);
                }
            } catch (FieldException refused) {
                if (candidate.isString() && choices.isEmpty() && refused.field().equals(field)) {
                    choices = refused.choices();
                    choices.forEach(choice -> candidates.add(NODES.stringNode(choice)));
                }
            } catch (InputException refused) {
                // Another candidate may be accepted.
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
        return MethodFactory.written(method(config, on), on);
    }

    private Method method(ObjectNode config, Base on) {
        return type.read(Fields.of("options of " + type.name(), config), on);
    }
}
