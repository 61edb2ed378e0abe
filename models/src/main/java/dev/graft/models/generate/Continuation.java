package dev.graft.models.generate;

import dev.graft.models.tokenizers.StreamDecoder;
import dev.graft.models.tokenizers.Tokenizer;
import java.util.Arrays;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One prompt with its generated tokens and text. {@link Generator#begin} creates it for callers that run the passes themselves.
 */
public final class Continuation {
    final int row;
    final int[] prompt;
    private final GenerateOptions options;
    private final Set<Integer> endTokens;
    private final Sampler sampler;
    private final SuppressedTokens suppressed;
    private final @Nullable StreamDecoder decoder;
    private final StopStrings stopStrings;
    private final TextListener listener;
    private int[] ids = new int[16];
    private int length;
    private @Nullable FinishReason reason;

    Continuation(
            int row,
            int[] prompt,
            GenerateOptions options,
            Set<Integer> endTokens,
            Sampler sampler,
            SuppressedTokens suppressed,
            @Nullable Tokenizer tokenizer,
            TextListener listener) {
        this.row = row;
        this.prompt = prompt;
        this.options = options;
        this.endTokens = endTokens;
        this.sampler = sampler;
        this.suppressed = suppressed;
        this.decoder = tokenizer == null ? null : new StreamDecoder(tokenizer, true);
        this.stopStrings = new StopStrings(options.stop());
        this.listener = listener;
        for (int id : prompt) {
            sampler.markSeen(id);
        }
    }

    /**
     * Selects the next token.
     *
     * @param logits {@code [vocab]}; modified
     * @param limit the number of tokens that the model accepts after the prompt
     */
    public void step(float[] logits, int limit) {
        suppressed.apply(logits, allIds(), length == 0);
        int id = sampler.next(logits);
        sampler.markSeen(id);
        if (length == ids.length) {
            ids = Arrays.copyOf(ids, 2 * length);
        }
        ids[length++] = id;
        if (endTokens.contains(id)) {
            finish(FinishReason.END_TOKEN);
            return;
        }
        if (decoder != null) {
            emit(stopStrings.add(decoder.add(id)));
        }
        if (stopStrings.stopped()) {
            reason = FinishReason.STOP_STRING;
        } else if (length >= Math.min(options.maxNewTokens(), limit)) {
            finish(FinishReason.LENGTH);
        }
    }

    private void finish(FinishReason why) {
        reason = why;
        if (decoder != null) {
            emit(stopStrings.add(decoder.finish()));
            if (stopStrings.stopped()) {
                reason = FinishReason.STOP_STRING;
            } else {
                emit(stopStrings.finish());
            }
        }
    }

    /** Ends it after the text emitted so far. */
    public void end() {
        reason = FinishReason.STOP_STRING;
    }

    private void emit(String piece) {
        if (!piece.isEmpty()) {
            listener.onText(row, piece);
        }
    }

    /** Returns whether it has not ended. */
    public boolean isRunning() {
        return reason == null;
    }

    /** The ids of the prompt and of the new tokens. */
    public int[] allIds() {
        int[] all = Arrays.copyOf(prompt, prompt.length + length);
        System.arraycopy(ids, 0, all, prompt.length, length);
        return all;
    }

    /** The last new token. */
    public int lastId() {
        return ids[length - 1];
    }

    /** The complete result, once it has ended. */
    public GeneratedText result() {
        FinishReason why = reason;
        if (why == null) {
            throw new IllegalStateException("the text has not ended");
        }
        return new GeneratedText(Arrays.copyOf(ids, length), stopStrings.text(), why);
    }
}
