package dev.graft.models.tokenizers;

import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** The fields of {@code tokenizer_config.json} that change a step of {@code tokenizer.json}. */
final class ConfiguredSteps {

    private ConfiguredSteps() {}

    static void apply(ObjectNode tokenizer, JsonNode config) {
        if (tokenizer.path("normalizer") instanceof ObjectNode normalizer
                && normalizer.path("type").asString("").equals("BertNormalizer")) {
            override(normalizer, "lowercase", config.path("do_lower_case"));
            override(normalizer, "strip_accents", config.path("strip_accents"));
            override(normalizer, "handle_chinese_chars", config.path("tokenize_chinese_chars"));
        }
        if (tokenizer.path("pre_tokenizer") instanceof ObjectNode step
                && step.path("type").asString("").equals("ByteLevel")) {
            override(step, "add_prefix_space", config.path("add_prefix_space"));
        }
    }

    private static void override(ObjectNode step, String key, JsonNode value) {
        if (value.isBoolean()) {
            step.set(key, value);
        }
    }
}
