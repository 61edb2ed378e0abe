package dev.graft.formats;

import dev.graft.formats.internal.JsonText;
import java.io.IOException;
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
 * Strict JSON. It refuses repeated keys, NaN, numbers too large for a double, a byte order mark, invalid UTF-8, nesting deeper than 256 and
 * anything after the value; messages start with {@code file:line:column}. Objects keep the order of their keys. Equal values have equal text,
 * identical to that of Python's {@code json.dumps}.
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

    /**
     * Parses a value; {@code source} names the file in messages.
     *
     * @throws FormatException if the text breaks the rules above
     */
    public static JsonNode parse(String source, String text) {
        return parse(source, text.getBytes(StandardCharsets.UTF_8));
    }

    /**
     * Parses a value from UTF-8; {@code source} names the file in messages.
     *
     * @throws FormatException if the text breaks the rules above
     */
    public static JsonNode parse(String source, byte[] utf8) {
        return parse(source, utf8, false);
    }

    /**
     * Parses like {@link #parse(String, byte[])}, but accepts as numbers {@code NaN}, {@code Infinity} and {@code
     * -Infinity}, which Python writes.
     */
    public static JsonNode parseWithNaN(String source, byte[] utf8) {
        return parse(source, utf8, true);
    }

    /**
     * Returns the text of {@code json.dumps(value, indent=2, sort_keys=True)}: two spaces a level, keys sorted by code point, no line feed at the
     * end. Hugging Face PEFT writes {@code adapter_config.json} in this form.
     */
    public static String pretty(JsonNode value) {
        return JsonText.pretty(value);
    }

    /** Returns a text as a JSON string in quotes; characters beyond ASCII are escaped only if {@code ascii} is true. */
    public static String quoted(String text, boolean ascii) {
        StringBuilder out = new StringBuilder();
        JsonText.string(out, text, ascii);
        return out.toString();
    }

    /** Returns the value in one line without spaces, keys in the order of the object. */
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
            throw new FileAccessException("cannot read " + file, e);
        }
    }

    private static JsonNode parse(String source, byte[] utf8, boolean allowNaN) {
        try (JsonTokenizer tokenizer = new JsonTokenizer(source, utf8, allowNaN)) {
            JsonNode value = value(tokenizer, tokenizer.next(), allowNaN);
            tokenizer.requireEnd();
            return value;
        }
    }

    private static JsonNode value(JsonTokenizer tokenizer, JsonToken token, boolean allowNaN) {
        JsonNodeFactory nodes = JsonNodeFactory.instance;
        return switch (token) {
            case START_OBJECT -> {
                ObjectNode object = nodes.objectNode();
                for (JsonToken next = tokenizer.next(); next != JsonToken.END_OBJECT; next = tokenizer.next()) {
                    String name = tokenizer.text();
                    if (object.has(name)) {
                        throw tokenizer.error("the key \"" + name + "\" appears twice");
                    }
                    object.set(name, value(tokenizer, tokenizer.next(), allowNaN));
                }
                yield object;
            }
            case START_ARRAY -> {
                ArrayNode array = nodes.arrayNode();
                for (JsonToken next = tokenizer.next(); next != JsonToken.END_ARRAY; next = tokenizer.next()) {
                    array.add(value(tokenizer, next, allowNaN));
                }
                yield array;
            }
            case VALUE_STRING -> nodes.stringNode(tokenizer.text());
            case VALUE_NUMBER_INT -> {
                Number number = tokenizer.number();
                yield number instanceof Integer small
                        ? nodes.numberNode(small)
                        : number instanceof Long large
                                ? nodes.numberNode(large)
                                : nodes.numberNode((BigInteger) number);
            }
            case VALUE_NUMBER_FLOAT -> {
                double number = tokenizer.number().doubleValue();
                if (Double.isInfinite(number) && !(allowNaN && tokenizer.text().endsWith("Infinity"))) {
                    throw tokenizer.error("the number " + tokenizer.text() + " is too large for a double");
                }
                yield nodes.numberNode(number);
            }
            case VALUE_TRUE -> nodes.booleanNode(true);
            case VALUE_FALSE -> nodes.booleanNode(false);
            case VALUE_NULL -> nodes.nullNode();
            default -> throw tokenizer.error("expected a value");
        };
    }
}
