package dev.graft.models.tokenizers;

/** Two texts that are encoded together, such as a premise and a hypothesis. */
public record TextPair(String first, String second) {}
