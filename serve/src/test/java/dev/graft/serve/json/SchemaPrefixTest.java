package dev.graft.serve.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.models.tokenizers.Tokenizers;
import dev.graft.serve.LogitsProcessor;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Random;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class SchemaPrefixTest {
    private static final String BOOK = """
        {"type": "object", "title": "Book", "additionalProperties": false,
         "properties": {
           "title": {"type": "string", "description": "as on its cover"},
           "year": {"type": "integer"},
           "price": {"type": ["number", "null"]},
           "kind": {"enum": ["a", "ab", "é\\"x", 1, 12, true, null]},
           "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 1, "maxItems": 2},
           "extra": {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"x": {}}, "required": []}]}
         },
         "required": ["title", "kind", "tags"],
         "$defs": {"tag": {"type": "string", "enum": ["red", "blue"]}, "unused": {"type": "null"}}}
        """;

    private static Schema schema(String json) {
        return SchemaReader.read(Fields.of("schema", Json.parse("schema", json)));
    }

    private static @Nullable SchemaPrefix read(Schema schema, String json) {
        return read(SchemaPrefix.begin(schema), json);
    }

    private static @Nullable SchemaPrefix read(SchemaPrefix begin, String json) {
        SchemaPrefix text = begin;
        for (byte b : json.getBytes(StandardCharsets.UTF_8)) {
            text = text == null ? null : text.advance(b & 0xff);
        }
        return text;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"title\":\"T\",\"kind\":\"a\",\"tags\":[\"red\"]}",
                "{ \"title\" : \"é\\u0041 😀\" , \"year\" : -12 , \"price\" : 1.5e3 , \"kind\" : \"ab\" , \"tags\" : ["
                        + " \"red\" , \"blue\" ] }",
                "{\"title\":\"\",\"price\":null,\"kind\":\"é\\\"x\",\"tags\":[\"blue\"],\"extra\":null}",
                "{\"title\":\"\",\"kind\":12,\"tags\":[\"blue\"],\"extra\":{\"x\":{\"y\":[1,{}],\"z\":\"\"}}}",
                "{\"title\":\"\",\"kind\":1,\"tags\":[\"blue\"],\"extra\":{}}",
                "{\"title\":\"\",\"kind\":true,\"tags\":[\"red\",\"red\"],\"extra\":{\"x\":0}}",
                "{\"title\":\"\",\"kind\":null\n,\"tags\":[\"red\"]}"
            })
    void whatTheSchemaSaysIsFollowed(String json) {
        Json.parse("test", json);
        SchemaPrefix text = read(schema(BOOK), json);
        assertThat(text).isNotNull();
        assertThat(text.isComplete()).isTrue();
    }

    /** Everything before the last character may be written, and that character may not. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "[",
                "{}",
                "{\"y",
                "{\"titles",
                "{\"title\":1",
                "{\"title\":n",
                "{\"title\":\"\"}",
                "{\"title\":\"\",}",
                "{\"title\":\"\",\"t",
                "{\"title\":\"\",\"year\":1.",
                "{\"title\":\"\",\"year\":1e",
                "{\"title\":\"\",\"year\":\"",
                "{\"title\":\"\",\"price\":t",
                "{\"title\":\"\",\"kind\":\"ac",
                "{\"title\":\"\",\"kind\":\"\"",
                "{\"title\":\"\",\"kind\":2",
                "{\"title\":\"\",\"kind\":13",
                "{\"title\":\"\",\"kind\":f",
                "{\"title\":\"\",\"kind\":1}",
                "{\"title\":\"\",\"kind\":1,\"tags\":[]",
                "{\"title\":\"\",\"kind\":1,\"tags\":[\"g",
                "{\"title\":\"\",\"kind\":1,\"tags\":[\"red\",\"red\",",
                "{\"title\":\"\",\"kind\":1,\"tags\":[\"red\"],\"x",
                "{\"title\":\"\",\"kind\":1,\"tags\":[\"red\"],\"extra\":[",
                "{\"title\":\"\",\"kind\":1,\"tags\":[\"red\"],\"extra\":{},"
            })
    void whatTheSchemaDoesNotSayIsNot(String json) {
        Schema schema = schema(BOOK);
        assertThat(read(schema, json.substring(0, json.length() - 1))).isNotNull();
        assertThat(read(schema, json)).isNull();
    }

    @Test
    void textsThatMayBeFollowedAlikeAreEqualAndNoSchemaIsHashedForIt() {
        String one = "{\"title\":\"a\",\"kind\":1,\"tags\":[\"red\"";
        String same = "{ \"title\":\"b\",\"kind\":\"ab\",\"tags\":[\"blue\"";
        Schema book = schema(BOOK);
        assertThat(read(book, one)).isEqualTo(read(book, same)).hasSameHashCodeAs(read(book, same));
        assertThat(read(book, one)).isNotEqualTo(read(book, one + ",\"red\""));
        assertThat(read(book, one)).isNotEqualTo(read(schema(BOOK), one));

        JsonTokens tokens = JsonTokens.of(Tokenizers.load(Path.of("../parity/fixtures/tokens/bytebpe")), Set.of(0));
        assertThat(read(tokens.begin(book), one))
                .as("schemas of two requests")
                .isEqualTo(read(tokens.begin(schema(BOOK)), same));
    }

    /** At random, by the tokens of a vocabulary: each text that ends is as the schema says. */
    @ParameterizedTest
    @ValueSource(strings = {"bytebpe", "splitbpe"})
    void textsAtRandomAreAsTheSchemaSays(String name) {
        Tokenizer tokenizer = Tokenizers.load(Path.of("../parity/fixtures/tokens", name));
        byte[][] bytes = new TokenBytes(tokenizer).all();
        JsonTokens tokens = JsonTokens.of(tokenizer, Set.of(0));
        Random random = new Random(3);
        int whole = 0;
        for (int text = 0; text < 60; text++) {
            LogitsProcessor logitsProcessor = tokens.constrain(schema(BOOK));
            ByteArrayOutputStream written = new ByteArrayOutputStream();
            boolean ended = false;
            for (int step = 0; step < 600 && !ended; step++) {
                int id = any(logitsProcessor, tokenizer.idLimit(), bytes, random);
                ended = id == 0;
                if (!ended) {
                    logitsProcessor.onToken(id);
                    written.writeBytes(bytes[id]);
                }
            }
            if (ended) {
                check(JsonMapper.shared().readTree(written.toString(StandardCharsets.UTF_8)));
                whole++;
            }
        }
        assertThat(whole).isGreaterThan(20);
    }

    /** One of the tokens that may come, rather one that ends something. */
    private static int any(LogitsProcessor logitsProcessor, int vocabulary, byte[][] bytes, Random random) {
        float[] logits = new float[vocabulary];
        logitsProcessor.process(logits);
        int chosen = -1;
        double best = -1;
        for (int id = 0; id < vocabulary; id++) {
            if (logits[id] == 0) {
                boolean ends = bytes[id] != null && bytes[id].length > 0 && "\"}]".indexOf(bytes[id][0]) >= 0;
                double score = random.nextDouble() + (ends ? 0.5 : 0);
                if (score > best) {
                    best = score;
                    chosen = id;
                }
            }
        }
        assertThat(chosen).as("something may always come").isNotNegative();
        return chosen;
    }

    private static void check(JsonNode book) {
        assertThat(book.path("title").isString()).isTrue();
        assertThat(book.propertyNames()).contains("title", "kind", "tags");
        for (String name : book.propertyNames()) {
            JsonNode value = book.path(name);
            assertThat(
                            switch (name) {
                                case "title" -> value.isString();
                                case "year" -> value.isIntegralNumber();
                                case "price" -> value.isNumber() || value.isNull();
                                case "kind" ->
                                    Set.of("\"a\"", "\"ab\"", "\"é\\\"x\"", "1", "12", "true", "null")
                                            .contains(value.toString());
                                case "tags" ->
                                    value.isArray()
                                            && value.size() >= 1
                                            && value.size() <= 2
                                            && Set.of("red", "blue")
                                                    .contains(value.get(0).stringValue());
                                case "extra" ->
                                    value.isNull() || value.isObject() && value.size() <= (value.has("x") ? 1 : 0);
                                default -> false;
                            })
                    .as(book.toString())
                    .isTrue();
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{'type': 'array', 'items': {}} | expected an object",
                "{'type': 'object'} | properties",
                "{'type': 'object', 'properties': {'a': {'type': 'string', 'pattern': 'x'}}} | pattern",
                "{'type': 'object', 'properties': {'a': {'type': 'integer', 'minimum': 1}}} | minimum",
                "{'type': 'object', 'properties': {'a': {'type': 'text'}}} | type is \"text\"",
                "{'type': 'object', 'properties': {}, 'required': ['a']} | required has a",
                "{'type': 'object', 'properties': {}, 'additionalProperties': {'type': 'string'}} |"
                        + " additionalProperties",
                "{'type': 'object', 'properties': {'a': {'oneOf': []}}} | oneOf",
                "{'type': 'object', 'properties': {'a': {'anyOf': [{'type': 'string'}, {'enum': ['x']}]}}} | begin"
                        + " alike",
                "{'type': 'object', 'properties': {'a': {'anyOf': []}}} | no alternatives",
                "{'type': 'object', 'properties': {'a': {'enum': []}}} | enum",
                "{'type': 'object', 'properties': {'a': {'enum': [{}]}}} | enum",
                "{'type': 'object', 'properties': {'a': {'type': 'string', 'enum': [1]}}} | of the type",
                "{'type': 'object', 'properties': {'a': {'type': 'integer', 'enum': [1, 1.5]}}} | of the type",
                "{'type': 'object', 'properties': {'a': {'type': ['integer', 'null'], 'const': 1e2}}} | of the type",
                "{'type': 'object', 'properties': {'a': {'type': 'boolean', 'enum': ['true']}}} | of the type",
                "{'type': 'object', 'properties': {'a': {'const': 1, 'enum': [1]}}} | enum",
                "{'type': 'object', 'properties': {}} | properties is empty",
                "{'type': 'object', 'properties': {'a': {'type': 'object', 'properties': {}}}} | a.properties is empty",
                "{'type': 'object', 'properties': {'a': {'$ref': '#/x'}}} | $ref",
                "{'$defs': {'b': {'type': 'array', 'items': {'$ref': '#/$defs/b'}}}, 'type': 'object', 'properties':"
                        + " {'a': {'$ref': '#/$defs/b'}}} | refers to itself",
                "{'type': 'object', 'properties': {'a': {'type': 'array', 'minItems': 3, 'maxItems': 2}}} | maxItems"
            })
    void whatCanNotBeHeldToIsRefusedByName(String json, String message) {
        assertThatThrownBy(() -> schema(json.replace('\'', '"')))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(message);
    }

    @Test
    void valuesOfTheTypeThatIsNamedAreTaken() {
        Schema schema = schema("""
            {"type": "object", "required": ["a", "b", "c", "d"], "properties": {
              "a": {"type": "integer", "enum": [-1, 20]}, "b": {"type": "number", "enum": [1.5, 1]},
              "c": {"type": ["boolean", "string", "null"], "enum": [true, "x", null]},
              "d": {"type": "object", "properties": {}, "additionalProperties": false}}}
            """);
        assertThat(read(schema, "{\"a\":20,\"b\":1.5,\"c\":null,\"d\":{}}")).isNotNull();
        assertThat(read(schema, "{\"a\":20,\"b\":1.5,\"c\":null,\"d\":{\"")).isNull();
    }

    private static Schema call(String parameters) {
        return SchemaReader.call(
                "f", "arguments", Fields.of("schema", Json.parse("schema", parameters.replace('\'', '"'))));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{'type': 'object'}",
                "{'type': 'object', 'properties': {}, 'required': [], 'additionalProperties': false, 'description':"
                        + " 'none'}",
                "{'$schema': 'https://json-schema.org/draft/2020-12/schema', 'title': 'F', 'properties': null}"
            })
    void aFunctionMayHaveNoArguments(String parameters) {
        String whole = "{\"name\":\"f\",\"arguments\":{}}";
        assertThat(read(call(parameters), whole)).isNotNull().matches(SchemaPrefix::isComplete);
        assertThat(read(call(parameters), whole.replace("{}", "{\""))).isNull();
    }

    @Test
    void argumentsMayBeReferredTo() {
        assertThatThrownBy(() -> call("{'$ref': '#/$defs/b', '$defs': {'b': {'type': 'string'}}}"))
                .hasMessageContaining("another type");
        Schema referred = call("{'$ref': '#/$defs/b', '$defs': {'b': {'type': 'object', 'required': ['x'],"
                + " 'properties': {'x': {'type': 'null'}}}}}");
        assertThat(read(referred, "{\"name\":\"f\",\"arguments\":{\"x\":null}}"))
                .isNotNull();
        assertThat(read(referred, "{\"name\":\"f\",\"arguments\":{}")).isNull();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{'type': 'string'} | another type",
                "{'anyOf': [{'type': 'object', 'properties': {'a': {}}}, {'type': 'null'}]} | another type",
                "{'type': 'object', 'required': ['a']} | properties",
                "{'type': 'object', 'patternProperties': {'a': {}}} | properties",
                "{'type': 'object', 'properties': {}, 'minProperties': 1} | properties is empty",
                "{'type': 'object', 'properties': {}, 'additionalProperties': true} | properties is empty",
                "{'type': 'object', 'additionalProperties': {'type': 'string'}} | additionalProperties"
            })
    void argumentsThatCanNotBeHeldToAreRefused(String parameters, String message) {
        assertThatThrownBy(() -> call(parameters))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(message);
    }

    @Test
    void schemasThatGrowByReferencesAreRefused() {
        StringBuilder definitions = new StringBuilder("\"d20\": {\"type\": \"null\"}");
        for (int i = 0; i < 20; i++) {
            String next = "{\"$ref\": \"#/$defs/d" + (i + 1) + "\"}";
            definitions
                    .append(", \"d")
                    .append(i)
                    .append("\": {\"anyOf\": [")
                    .append(next)
                    .append(", ")
                    .append(next)
                    .append("]}");
        }
        assertThatThrownBy(() -> schema("{\"$defs\": {" + definitions
                        + "}, \"type\": \"object\", \"properties\": {\"a\": {\"$ref\": \"#/$defs/d0\"}}}"))
                .isInstanceOf(InputException.class);
        String deep = "{\"type\": \"array\", \"items\": ".repeat(40) + "{}" + "}".repeat(40);
        assertThatThrownBy(() -> schema("{\"type\": \"object\", \"properties\": {\"a\": " + deep + "}}"))
                .hasMessageContaining("levels deep");
    }
}
