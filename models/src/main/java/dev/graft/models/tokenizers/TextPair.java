package dev.graft.models.tokenizers;

/** Two texts that are encoded together, such as a premise and a hypothesis. With an empty second one the first is encoded alone, as transformers does. */
public record TextPair(String first, String second) {}
