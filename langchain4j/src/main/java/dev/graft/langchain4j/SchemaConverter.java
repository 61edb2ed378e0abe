package dev.graft.langchain4j;

import dev.graft.formats.Fields;
import dev.graft.formats.Json;
import dev.graft.serve.json.Schema;
import dev.graft.serve.json.SchemaReader;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.chat.request.json.JsonAnyOfSchema;
import dev.langchain4j.model.chat.request.json.JsonArraySchema;
import dev.langchain4j.model.chat.request.json.JsonBooleanSchema;
import dev.langchain4j.model.chat.request.json.JsonEnumSchema;
import dev.langchain4j.model.chat.request.json.JsonIntegerSchema;
import dev.langchain4j.model.chat.request.json.JsonNullSchema;
import dev.langchain4j.model.chat.request.json.JsonNumberSchema;
import dev.langchain4j.model.chat.request.json.JsonObjectSchema;
import dev.langchain4j.model.chat.request.json.JsonRawSchema;
import dev.langchain4j.model.chat.request.json.JsonReferenceSchema;
import dev.langchain4j.model.chat.request.json.JsonSchema;
import dev.langchain4j.model.chat.request.json.JsonSchemaElement;
import dev.langchain4j.model.chat.request.json.JsonStringSchema;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Converts LangChain4j's schemas to JSON Schema. */
final class SchemaConverter {
    private SchemaConverter() {}

    static Schema read(JsonSchema schema) {
        return SchemaReader.read(Fields.of("the schema " + schema.name(), json(schema.rootElement())));
    }

    static JsonNode json(JsonSchemaElement element) {
        if (element instanceof JsonRawSchema raw) {
            return Json.parse("the schema", raw.schema());
        }
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        if (element.description() != null) {
            json.put("description", element.description());
        }
        if (element instanceof JsonObjectSchema object) {
            return object(json.put("type", "object"), object);
        }
        if (element instanceof JsonStringSchema) {
            return json.put("type", "string");
        }
        if (element instanceof JsonIntegerSchema) {
            return json.put("type", "integer");
        }
        if (element instanceof JsonNumberSchema) {
            return json.put("type", "number");
        }
        if (element instanceof JsonBooleanSchema) {
            return json.put("type", "boolean");
        }
        if (element instanceof JsonNullSchema) {
            return json.put("type", "null");
        }
        if (element instanceof JsonReferenceSchema reference) {
            return json.put("$ref", "#/$defs/" + reference.reference());
        }
        if (element instanceof JsonEnumSchema values) {
            ArrayNode all = json.putArray("enum");
            values.enumValues().forEach(all::add);
        } else if (element instanceof JsonAnyOfSchema options) {
            ArrayNode all = json.putArray("anyOf");
            options.anyOf().forEach(option -> all.add(json(option)));
        } else if (element instanceof JsonArraySchema array) {
            json.put("type", "array");
            if (array.items() != null) {
                json.set("items", json(array.items()));
            }
        } else {
            throw new UnsupportedFeatureException(
                    "a schema with a " + element.getClass().getSimpleName() + " is not supported");
        }
        return json;
    }

    private static ObjectNode object(ObjectNode json, JsonObjectSchema object) {
        put(json.putObject("properties"), object.properties());
        ArrayNode required = json.putArray("required");
        object.required().forEach(required::add);
        if (object.additionalProperties() != null) {
            json.put("additionalProperties", object.additionalProperties());
        }
        if (!object.definitions().isEmpty()) {
            put(json.putObject("$defs"), object.definitions());
        }
        return json;
    }

    private static void put(ObjectNode json, Map<String, JsonSchemaElement> elements) {
        elements.forEach((name, element) -> json.set(name, json(element)));
    }
}
