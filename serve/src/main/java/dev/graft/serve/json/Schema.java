package dev.graft.serve.json;

import java.util.ArrayList;
import java.util.List;

/**
 * A JSON schema: the part of JSON Schema that {@link SchemaReader} reads. Its strings hold UTF-8 bytes, one character for each byte.
 */
public sealed interface Schema {
    /** The schema of any value. */
    Schema ANY = new AnyValue();

    /** Returns whether a value may begin with a byte. */
    boolean mayBegin(int b);

    /** Any value. */
    record AnyValue() implements Schema {
        @Override
        public boolean mayBegin(int b) {
            return true;
        }
    }

    /** A string. */
    record StringValue() implements Schema {
        @Override
        public boolean mayBegin(int b) {
            return b == '"';
        }
    }

    /**
     * A number.
     *
     * @param integer true for numbers without fraction and exponent
     */
    record NumberValue(boolean integer) implements Schema {
        @Override
        public boolean mayBegin(int b) {
            return b == '-' || b >= '0' && b <= '9';
        }
    }

    /**
     * One of several scalar values.
     *
     * @param literals the values as JSON text
     */
    record EnumValue(List<String> literals) implements Schema {
        public EnumValue {
            literals = List.copyOf(literals);
        }

        @Override
        public boolean mayBegin(int b) {
            return literals.stream().anyMatch(literal -> literal.charAt(0) == b);
        }
    }

    /** An array with a limited number of items. */
    record ArrayValue(Schema items, int minItems, int maxItems) implements Schema {
        @Override
        public boolean mayBegin(int b) {
            return b == '[';
        }
    }

    /** An object with these properties and no others, in their order. */
    record ObjectValue(List<Property> properties) implements Schema {
        public ObjectValue {
            properties = List.copyOf(properties);
        }

        @Override
        public boolean mayBegin(int b) {
            return b == '{';
        }

        /** The numbers of the properties that may come next: up to the first that must come. */
        List<Integer> next(int from) {
            List<Integer> next = new ArrayList<>();
            for (int i = from; i < properties.size(); i++) {
                next.add(i);
                if (properties.get(i).required) {
                    break;
                }
            }
            return next;
        }

        /** Returns whether no property from that one on is required. */
        boolean mayEnd(int from) {
            return properties.stream().skip(from).noneMatch(Property::required);
        }
    }

    /**
     * A property of an object.
     *
     * @param key its name as JSON text, with the closing quotation mark but not the opening one
     */
    record Property(String key, boolean required, Schema schema) {}

    /** One of several schemas, which must differ in their first byte. */
    record AnyOf(List<Schema> options) implements Schema {
        public AnyOf {
            options = List.copyOf(options);
        }

        @Override
        public boolean mayBegin(int b) {
            return options.stream().anyMatch(option -> option.mayBegin(b));
        }
    }
}
