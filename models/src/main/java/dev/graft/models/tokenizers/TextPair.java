package dev.graft.models.tokenizers;

/**
 * Two texts that are encoded together, such as a premise and a hypothesis. Where the second is empty the first is encoded alone, in a batch
 * too, so that a row has the same ids however it is encoded. (transformers does so for one pair, and keeps the empty text in a batch.)
 */
public record TextPair(String first, String second) {}
