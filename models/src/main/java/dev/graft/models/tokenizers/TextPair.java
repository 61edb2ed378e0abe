package dev.graft.models.tokenizers;

/**
 * Two texts that are encoded together, such as a premise and a hypothesis. If the second is empty, the first is encoded
 * alone, also in a batch. So a pair has the same ids however it is encoded. (transformers does so for one pair, but
 * keeps the empty text in a batch.)
 */
public record TextPair(String first, String second) {}
