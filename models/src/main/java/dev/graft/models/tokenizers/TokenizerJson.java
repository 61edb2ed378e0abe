package dev.graft.models.tokenizers;

import tools.jackson.databind.node.ObjectNode;

/** The content of {@code tokenizer.json} and {@code tokenizer_config.json}, converted from another format. */
public record TokenizerJson(ObjectNode tokenizer, ObjectNode config) {}
