package dev.graft.run.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class ConfigSchemaTest {
    private final JsonNode schema = ConfigSchema.schema();

    @Test
    void theSchemaSaysItsDialect() {
        assertThat(schema.get("$schema").stringValue()).isEqualTo("https://json-schema.org/draft/2020-12/schema");
        assertThat(schema.get("properties").get("dtype").get("enum").toString())
                .isEqualTo("[\"auto\",\"fp32\",\"bf16\"]");
        assertThat(schema.at("/properties/data/properties/train/type").stringValue())
                .isEqualTo("string");
        assertThat(schema.at("/properties/lora/properties/r/minimum").intValue())
                .isEqualTo(1);
    }

    @Test
    void aResolvedConfigIsValid() {
        RunConfig config = ConfigReader.read(
                null, List.of("model=m", "data.train=d", "betas=[0.8, 0.9]", "max_time=2h"), Map.of(), notice -> {});

        assertThat(problems(Yaml.read("f", RecipeWriter.write(config, "x")).resolve()))
                .hasSize(0);
    }

    @Test
    void whatTheReaderRefusesIsInvalid() {
        assertThat(problems(Map.of("learning_rate", "fast"))).containsExactly("/learning_rate: type");
        assertThat(problems(Map.of("learning_rate", 0))).containsExactly("/learning_rate: exclusiveMinimum");
        assertThat(problems(Map.of("data", Map.of("trian", "x")))).containsExactly("/data/trian: additionalProperties");
        assertThat(problems(Map.of("learning_rat", 1))).containsExactly("/learning_rat: type");
        assertThat(problems(Map.of("dtype", "fp16"))).containsExactly("/dtype: enum");
        assertThat(problems(Map.of("betas", List.of(0.9)))).containsExactly("/betas: minItems");
        assertThat(problems(Map.of("report_to", List.of("csv", "wandb")))).containsExactly("/report_to/1: enum");
        assertThat(problems(Map.of("lora", Map.of("r", 0)))).containsExactly("/lora/r: minimum");
        assertThat(problems(Map.of("lora", Map.of("target_modules", 1))))
                .containsExactly("/lora/target_modules: anyOf");
    }

    @Test
    void everyDefaultAndExampleIsValid() {
        List<String> checked = new ArrayList<>();
        check("", schema, checked);
        assertThat(checked).hasSizeGreaterThan(ConfigKeys.RUN.size());
    }

    private void check(String path, JsonNode node, List<String> checked) {
        for (Map.Entry<String, JsonNode> property : node.path("properties").properties()) {
            JsonNode value = property.getValue();
            List<String> problems = new ArrayList<>();
            value.path("examples").forEach(example -> validate(path + property.getKey(), value, example, problems));
            if (value.has("default")) {
                validate(path + property.getKey(), value, value.get("default"), problems);
            }
            assertThat(problems).hasSize(0);
            checked.add(path + property.getKey());
            check(path + property.getKey() + ".", value, checked);
        }
    }

    private List<String> problems(Object value) {
        List<String> problems = new ArrayList<>();
        validate("", schema, JsonMapper.shared().valueToTree(value), problems);
        return problems;
    }

    /** The keywords that the schema uses, by the specification; any other one fails the test. */
    private static void validate(String path, JsonNode schema, JsonNode value, List<String> problems) {
        for (Map.Entry<String, JsonNode> keyword : schema.properties()) {
            JsonNode argument = keyword.getValue();
            boolean valid = switch (keyword.getKey()) {
                case "$schema", "title", "description", "default", "examples", "properties", "items" -> true;
                case "additionalProperties" -> additional(path, schema, argument, value, problems);
                case "type" ->
                    argument.isString()
                            ? isA(argument.stringValue(), value)
                            : argument.valueStream().anyMatch(type -> isA(type.stringValue(), value));
                case "enum" -> argument.valueStream().anyMatch(value::equals) || value.isNull();
                case "anyOf" ->
                    argument.valueStream().anyMatch(one -> {
                        List<String> inner = new ArrayList<>();
                        validate(path, one, value, inner);
                        return inner.isEmpty();
                    });
                case "minimum" -> !value.isNumber() || value.doubleValue() >= argument.doubleValue();
                case "exclusiveMinimum" -> !value.isNumber() || value.doubleValue() > argument.doubleValue();
                case "maximum" -> !value.isNumber() || value.doubleValue() <= argument.doubleValue();
                case "exclusiveMaximum" -> !value.isNumber() || value.doubleValue() < argument.doubleValue();
                case "minItems" -> !value.isArray() || value.size() >= argument.intValue();
                case "maxItems" -> !value.isArray() || value.size() <= argument.intValue();
                default -> throw new AssertionError("unknown keyword " + keyword.getKey());
            };
            if (!valid) {
                problems.add(path + ": " + keyword.getKey());
            }
        }
        for (Map.Entry<String, JsonNode> property : schema.path("properties").properties()) {
            if (value.has(property.getKey())) {
                validate(path + "/" + property.getKey(), property.getValue(), value.get(property.getKey()), problems);
            }
        }
        for (int i = 0; value.isArray() && schema.has("items") && i < value.size(); i++) {
            validate(path + "/" + i, schema.get("items"), value.get(i), problems);
        }
    }

    private static boolean additional(
            String path, JsonNode schema, JsonNode argument, JsonNode value, List<String> problems) {
        for (String name : value.propertyNames()) {
            if (!schema.path("properties").has(name)) {
                if (argument.isObject()) {
                    validate(path + "/" + name, argument, value.get(name), problems);
                } else {
                    problems.add(path + "/" + name + ": additionalProperties");
                }
            }
        }
        return true;
    }

    private static boolean isA(String type, JsonNode value) {
        return switch (type) {
            case "null" -> value.isNull();
            case "boolean" -> value.isBoolean();
            case "integer" -> value.isIntegralNumber();
            case "number" -> value.isNumber();
            case "string" -> value.isString();
            case "array" -> value.isArray();
            case "object" -> value.isObject();
            default -> throw new AssertionError("unknown type " + type);
        };
    }
}
