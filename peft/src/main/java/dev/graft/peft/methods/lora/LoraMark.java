package dev.graft.peft.methods.lora;

import dev.graft.formats.Fields;
import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;

/**
 * The field that marks a configuration of {@code peft_type} LORA as a variant's.
 *
 * @param field the name of the field
 * @param absent the fields of the variant that PEFT writes for every LoRA, with their values where the variant isn't meant;
 *     supplied, since the help of the command line names methods before it loads Jackson
 */
public record LoraMark(String field, Supplier<Map<String, JsonNode>> absent) {
    /** A field of Graft's own, which other configurations leave out. */
    public static LoraMark own(String field) {
        return new LoraMark(field, Map::of);
    }

    /** A flag of PEFT's. */
    public static LoraMark flag(String field) {
        return new LoraMark(field, () -> Map.of(field, JsonNodeFactory.instance.booleanNode(false)));
    }

    /** A field of PEFT's that is null where the variant isn't meant. */
    public static LoraMark value(String field) {
        return new LoraMark(field, () -> Map.of(field, JsonNodeFactory.instance.nullNode()));
    }

    /** Returns the mark with a further field of the variant that PEFT writes for every LoRA. Fields keep their order. */
    LoraMark with(String other, int value) {
        return new LoraMark(field, () -> {
            Map<String, JsonNode> fields = new LinkedHashMap<>(absent.get());
            fields.put(other, JsonNodeFactory.instance.numberNode(value));
            return fields;
        });
    }

    /** A method whose configurations have a mark. */
    public interface Marked extends Method.Type {
        /** The mark, or null for LoRA itself. */
        @Nullable
        LoraMark mark();
    }

    /** The marks of all registered methods. */
    static List<LoraMark> all() {
        return Methods.all().stream()
                .filter(Marked.class::isInstance)
                .map(type -> ((Marked) type).mark())
                .filter(mark -> mark != null)
                .toList();
    }

    /** Returns the mark that a configuration has, or null for LoRA itself. */
    public static @Nullable LoraMark of(Fields config) {
        for (LoraMark mark : all()) {
            if (mark.isIn(config)) {
                return mark;
            }
        }
        return null;
    }

    /** Returns whether a configuration has the mark: PEFT counts null, false and empty lists as absent. */
    boolean isIn(Fields config) {
        JsonNode value = config.node(field);
        return value != null
                && !value.isNull()
                && !(value.isBoolean() && !value.booleanValue())
                && !(value.isArray() && value.isEmpty());
    }

    /** Returns whether the other marks by the same field, which no two variants share. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof LoraMark mark && field.equals(mark.field);
    }

    @Override
    public int hashCode() {
        return field.hashCode();
    }
}
