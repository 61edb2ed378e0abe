package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import dev.graft.peft.Statistics;
import dev.graft.peft.TrainingRule;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Several methods in one adapter, AdapterHub's {@code ConfigUnion}: each declares its parameters and effects as if it were alone, and where
 * two act at one site they act in the order of the list. What is trained, the start and what it costs are the sums of the parts.
 *
 * <p>Files, in AdapterHub's layout: {@code architecture: union} and {@code configs}, a list of the parts' own configurations, and all
 * tensors in one file under the names that each part has alone. Parts may also be PEFT's methods, which AdapterHub doesn't know. Merges if
 * all parts do. Two parts with a tensor of the same name, such as two LoRAs on one layer or two bottlenecks behind one block, are refused.
 * {@link UniPelt} and {@link Mam} are unions with names of their own.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new Union(List.of(new Lora(LoraConfig.DEFAULT), PromptTuning.DEFAULT)), 42);
 * }</pre>
 */
public record Union(List<Method> parts) implements Method {
    /** LoRA beside a soft prompt. */
    public static final Union DEFAULT =
            new Union(List.of(Lora.Kind.INSTANCE.defaults(), PromptTuning.Kind.INSTANCE.defaults()));

    private static final String PARTS = "configs";
    private static final String UNION = "union";

    public Union {
        parts = List.copyOf(parts);
        if (parts.size() < 2) {
            throw new InputException(PARTS + " has " + parts.size() + " methods, expected at least 2");
        }
        for (Method part : parts) {
            if (part instanceof AdapterDrop) {
                throw new InputException(
                        PARTS + " has adapter-drop, which leaves out all parts of a union: put the union inside it");
            }
            if (part instanceof XLora) {
                throw new InputException(PARTS
                        + " has xlora, which holds adapters in folders of their own: stack it with others instead");
            }
            if (part.type().peftType().equals(UNION)) {
                throw new InputException(PARTS + " has a union in it: list its parts instead");
            }
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        parts.forEach(part -> part.graft(g));
    }

    @Override
    public Base on(Base base) {
        Base whole = base;
        for (Method part : parts) {
            whole = part.on(whole);
        }
        return whole;
    }

    @Override
    public boolean needsData() {
        return parts.stream().anyMatch(Method::needsData);
    }

    @Override
    public Method fitted(Base base, List<String> modulesToSave, Statistics statistics) {
        return new Union(parts.stream()
                .map(part -> part.needsData() ? part.fitted(base, modulesToSave, statistics) : part)
                .toList());
    }

    @Override
    public TrainingRule training(Adapter adapter, TrainingRule.Run run) {
        return JointRule.of(parts, adapter, run);
    }

    @Override
    public Method saved(Adapter adapter) {
        return new Union(
                parts.stream().map(part -> part.saved(adapter.part(part))).toList());
    }

    @Override
    public void write(ObjectNode c, Base base) {
        write(c, parts, base);
    }

    static void write(ObjectNode c, List<Method> parts, Base base) {
        c.put("architecture", UNION);
        ArrayNode array = c.putArray(PARTS);
        for (Method part : parts) {
            ObjectNode json = array.addObject();
            if (part.type().layout() != Layout.ADAPTER_HUB) {
                json.put("peft_type", part.type().peftType());
            }
            part.write(json, base);
        }
    }

    /** The methods of a list of configurations, or none where it is no union. */
    static List<Method> read(Fields f, Base base) {
        f.choice("architecture", UNION, UNION);
        List<Method> parts = new ArrayList<>();
        List<JsonNode> nodes = f.list(PARTS);
        for (int i = 0; i < nodes.size(); i++) {
            Fields part = Fields.of(f.source() + ": " + PARTS + "[" + i + "]", nodes.get(i));
            parts.add(part(part, nodes.get(i), base));
            part.refuseUnread("It may change what the adapter means; remove it if it does not.");
        }
        return parts;
    }

    /** One part: AdapterHub's configuration, PEFT's with its {@code peft_type}, or Graft's with {@code method} and some options. */
    static Method part(Fields part, @Nullable JsonNode node, Base base) {
        if (node == null) {
            throw new InputException(part.source() + " has no method");
        }
        if (part.has("method")) {
            Type type = Methods.named(part.string("method"));
            ObjectNode all = JsonNodeFactory.instance.objectNode();
            type.defaults().write(all, base);
            node.properties().forEach(option -> {
                part.informational(option.getKey());
                all.set(option.getKey(), option.getValue());
            });
            all.remove("method");
            Fields fields = Fields.of(part.source(), Json.parse(part.source(), Json.compact(all)));
            Method method = type.read(fields, base);
            fields.refuseUnread("`graft methods " + type.name() + "` lists the options of this method.");
            return method;
        }
        for (Type type : Methods.all()) {
            boolean hub = type.layout() == Layout.ADAPTER_HUB;
            if (hub ? !part.has("peft_type") && type.reads(part) : isOf(type, part) && type.reads(part)) {
                return type.read(part, base);
            }
        }
        throw new InputException(part.source() + " is of no method that is supported");
    }

    private static boolean isOf(Type type, Fields part) {
        return part.has("peft_type") && part.string("peft_type").equals(type.peftType());
    }

    /** Whether the parts are these, in this order, by what {@link Type#reads} each. */
    static boolean isOf(Fields f, Type... types) {
        if (!AdapterHubFields.isOf(f, UNION)) {
            return false;
        }
        JsonNode nodes = f.node(PARTS);
        if (nodes == null || !nodes.isArray() || nodes.size() != types.length) {
            return false;
        }
        for (int i = 0; i < types.length; i++) {
            if (!nodes.get(i).isObject()) {
                return false;
            }
            Fields part = Fields.of(f.source(), nodes.get(i));
            if (part.has("peft_type") || part.has("method") || !types[i].reads(part)) {
                return false;
            }
        }
        return true;
    }

    /** Registers {@code union}. */
    public static final class Kind implements AdapterHubType {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "union";
        }

        @Override
        public String summary() {
            return "several methods in one adapter";
        }

        @Override
        public Capabilities capabilities() {
            return new Capabilities(false, false, true, true);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return UNION;
        }

        @Override
        public boolean reads(Fields config) {
            return AdapterHubFields.isOf(config, UNION)
                    && !UniPelt.Kind.INSTANCE.reads(config)
                    && !Mam.Kind.INSTANCE.reads(config);
        }

        @Override
        public Method read(Fields f, Base base) {
            return new Union(Union.read(f, base));
        }
    }
}
