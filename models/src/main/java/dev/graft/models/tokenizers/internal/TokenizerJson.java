package dev.graft.models.tokenizers.internal;

import tools.jackson.databind.node.ObjectNode;

/** The content of {@code tokenizer.json} and {@code tokenizer_config.json}, made from another container. */
public record TokenizerJson(ObjectNode tokenizer, ObjectNode config) {}
