package dev.graft.models.generate;

/**
 * A generated text.
 *
 * @param ids the new tokens, the end token included if one ended it
 * @param text their text without special tokens, and without the stop string if one ended it; empty where there is no tokenizer
 */
@SuppressWarnings("ArrayRecordComponent") // made here and handed over whole
public record Generated(int[] ids, String text, FinishReason reason) {}
