package dev.graft.formats;

import dev.graft.formats.internal.JsonText;
import dev.graft.formats.internal.JsonTokens;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Strict JSON: a key that appears twice, NaN, numbers too large for a double, a byte order mark, bytes that are not UTF-8, nesting
 * deeper than 256 and anything after the value are refused, with {@code file:line:column}. Objects keep the order of their keys.
 * Written text is the same for the same value, and the same as Python's {@code json.dumps} gives.
 */
public final class Json {

    private static final long MAX_BYTES = 512L << 20;

    private Json() {}

    /**
     * Reads a file of at most 512 MiB.
     *
     * @throws InputException if there is no such file or it breaks the rules above
     */
    public static JsonNode read(Path file) {
        return parse(file.toString(), bytes(file));
    }

    /** Reads a value; {@code source} stands for the file in messages. */
    public static JsonNode parse(String source, String text) {
        return parse(source, text.getBytes(StandardCharsets.UTF_8));
    }

    /** Reads a value from UTF-8; {@code source} stands for the file in messages. */
    public static JsonNode parse(String source, byte[] utf8) {
        return parse(source, utf8, false);
    }

    /** As {@link #parse(String, byte[])}, but {@code NaN}, {@code Infinity} and {@code -Infinity}, which Python writes, are numbers. */
    public static JsonNode parseWithNaN(String source, byte[] utf8) {
        return parse(source, utf8, true);
    }

    /**
     * Two spaces a level and keys sorted by code point: the text of {@code json.dumps(value, indent=2, sort_keys=True)}, which is how
     * Hugging Face PEFT writes {@code adapter_config.json}. No line feed at the end.
     */
    public static String pretty(JsonNode value) {
        return JsonText.pretty(value);
    }

    /** A text as a value, in quotes; what isn't ASCII is escaped where {@code ascii} is set and stays as it is elsewhere. */
    public static String quoted(String text, boolean ascii) {
        StringBuilder out = new StringBuilder();
        JsonText.string(out, text, ascii);
        return out.toString();
    }

    /** One line without spaces, keys in the order of the object. */
    public static String compact(JsonNode value) {
        return JsonText.compact(value);
    }

    private static byte[] bytes(Path file) {
        try {
            if (!Files.exists(file)) {
                throw new FormatException(file, "there is no such file");
            }
            if (!Files.isRegularFile(file)) {
                throw new FormatException(file, "is not a file");
            }
            if (Files.size(file) > MAX_BYTES) {
                throw new FormatException(
                        file, "has " + Files.size(file) + " bytes, JSON of more than " + MAX_BYTES + " is not read");
            }
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + file + ": " + e.getMessage(), e);
        }
    }

    private static JsonNode parse(String source, byte[] utf8, boolean allowNaN) {
        try (JsonTokens tokens = new JsonTokens(source, utf8, allowNaN)) {
            JsonNode value = value(tokens, tokens.next(), allowNaN);
            tokens.requireEnd();
            return value;
        }
    }

    private static JsonNode value(JsonTokens tokens, JsonToken token, boolean allowNaN) {
        JsonNodeFactory nodes = JsonNodeFactory.instance;
        return switch (token) {
            case START_OBJECT -> {
                ObjectNode object = nodes.objectNode();
                for (JsonToken next = tokens.next(); next != JsonToken.END_OBJECT; next = tokens.next()) {
                    String name = tokens.text();
                    if (object.has(name)) {
                        throw tokens.error("the key \"" + name + "\" appears twice");
                    }
                    object.set(name, value(tokens, tokens.next(), allowNaN));
                }
                yield object;
            }
            case START_ARRAY -> {
                ArrayNode array = nodes.arrayNode();
                for (JsonToken next = tokens.next(); next != JsonToken.END_ARRAY; next = tokens.next()) {
                    array.add(value(tokens, next, allowNaN));
                }
                yield array;
            }
            case VALUE_STRING -> nodes.stringNode(tokens.text());
            case VALUE_NUMBER_INT -> {
                Number number = tokens.number();
                yield number instanceof Integer small
                        ? nodes.numberNode(small)
                        : number instanceof Long large
                                ? nodes.numberNode(large)
                                : nodes.numberNode((BigInteger) number);
            }
            case VALUE_NUMBER_FLOAT -> {
                double number = tokens.number().doubleValue();
                if (Double.isInfinite(number) && !(allowNaN && tokens.text().endsWith("Infinity"))) {
                    throw tokens.error("the number " + tokens.text() + " is too large for a double");
                }
                yield nodes.numberNode(number);
            }
            case VALUE_TRUE -> nodes.booleanNode(true);
            case VALUE_FALSE -> nodes.booleanNode(false);
            case VALUE_NULL -> nodes.nullNode();
            default -> throw tokens.error("expected a value");
        };
    }
}
