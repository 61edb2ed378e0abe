package dev.graft.serve.json;

import java.util.ArrayList;
import java.util.List;

/** What a JSON value must be: the part of JSON Schema that {@link SchemaReader} reads. Texts are UTF-8, a character for each byte. */
public sealed interface Schema {
    /** Anything. */
    Schema ANY = new Any();

    /** Whether a value may begin with a byte. */
    boolean mayBegin(int b);

    /** Any value. */
    record Any() implements Schema {
        @Override
        public boolean mayBegin(int b) {
            return true;
        }
    }

    /** A string. */
    record Text() implements Schema {
        @Override
        public boolean mayBegin(int b) {
            return b == '"';
        }
    }

    /** A number; without fraction and exponent where it is whole. */
    record Figure(boolean whole) implements Schema {
        @Override
        public boolean mayBegin(int b) {
            return b == '-' || b >= '0' && b <= '9';
        }
    }

    /** One of some values that are no objects or arrays, as they are written. */
    record OneOf(List<String> literals) implements Schema {
        public OneOf {
            literals = List.copyOf(literals);
        }

        @Override
        public boolean mayBegin(int b) {
            return literals.stream().anyMatch(literal -> literal.charAt(0) == b);
        }
    }

    /** An array of so many items. */
    record Items(Schema items, int least, int most) implements Schema {
        @Override
        public boolean mayBegin(int b) {
            return b == '[';
        }
    }

    /** An object with these properties and no others, in their order. */
    record Struct(List<Property> properties) implements Schema {
        public Struct {
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

        /** Whether none must come any more. */
        boolean mayEnd(int from) {
            return properties.stream().skip(from).noneMatch(Property::required);
        }
    }

    /**
     * A property.
     *
     * @param key its name as it is written, with the closing quotation mark but not the opening one
     */
    record Property(String key, boolean required, Schema schema) {}

    /** One of several, of which no two begin alike. */
    record Union(List<Schema> options) implements Schema {
        public Union {
            options = List.copyOf(options);
        }

        @Override
        public boolean mayBegin(int b) {
            return options.stream().anyMatch(option -> option.mayBegin(b));
        }
    }
}
