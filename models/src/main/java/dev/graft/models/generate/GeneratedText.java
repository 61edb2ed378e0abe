package dev.graft.models.generate;

/**
 * A generated text.
 *
 * @param ids the new tokens, including the end token if one ended it
 * @param text their text without special tokens, and without the stop string if one ended it; empty without a tokenizer
 * @param reason the reason why it ended
 */
@SuppressWarnings("ArrayRecordComponent") // made here and handed over whole
public record GeneratedText(int[] ids, String text, FinishReason reason) {}
