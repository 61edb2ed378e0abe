package dev.graft.models.generate;

import dev.graft.models.tokenizers.StreamDecoder;
import dev.graft.models.tokenizers.Tokenizer;
import java.util.Arrays;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One prompt with the tokens and the text that follow it. {@link Generator#begin} makes it for those who drive the passes themselves.
 */
public final class Continuation {
    final int row;
    final int[] prompt;
    private final GenerateOptions options;
    private final Set<Integer> endTokens;
    private final Sampler sampler;
    private final Bans bans;
    private final @Nullable StreamDecoder decoder;
    private final StopStrings text;
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
            Bans bans,
            @Nullable Tokenizer tokenizer,
            TextListener listener) {
        this.row = row;
        this.prompt = prompt;
        this.options = options;
        this.endTokens = endTokens;
        this.sampler = sampler;
        this.bans = bans;
        this.decoder = tokenizer == null ? null : new StreamDecoder(tokenizer, true);
        this.text = new StopStrings(options.stop());
        this.listener = listener;
        for (int id : prompt) {
            sampler.saw(id);
        }
    }

    /**
     * Takes the next token.
     *
     * @param limit how many tokens the model can take after the prompt
     */
    public void step(float[] logits, int limit) {
        bans.apply(logits, all(), length == 0);
        int id = sampler.next(logits);
        sampler.saw(id);
        if (length == ids.length) {
            ids = Arrays.copyOf(ids, 2 * length);
        }
        ids[length++] = id;
        if (endTokens.contains(id)) {
            finish(FinishReason.END_TOKEN);
            return;
        }
        if (decoder != null) {
            tell(text.add(decoder.add(id)));
        }
        if (text.stopped()) {
            reason = FinishReason.STOP_STRING;
        } else if (length >= Math.min(options.maxNewTokens(), limit)) {
            finish(FinishReason.LENGTH);
        }
    }

    private void finish(FinishReason why) {
        reason = why;
        if (decoder != null) {
            tell(text.add(decoder.finish()));
            if (text.stopped()) {
                reason = FinishReason.STOP_STRING;
            } else {
                tell(text.finish());
            }
        }
    }

    /** Ends it behind the text that was told. */
    public void end() {
        reason = FinishReason.STOP_STRING;
    }

    private void tell(String piece) {
        if (!piece.isEmpty()) {
            listener.text(row, piece);
        }
    }

    /** Whether it has not ended. */
    public boolean goesOn() {
        return reason == null;
    }

    /** The prompt and what follows it. */
    public int[] all() {
        int[] all = Arrays.copyOf(prompt, prompt.length + length);
        System.arraycopy(ids, 0, all, prompt.length, length);
        return all;
    }

    /** The last new token. */
    public int last() {
        return ids[length - 1];
    }

    /** The whole of what followed, when it has ended. */
    public Generated result() {
        FinishReason why = reason;
        if (why == null) {
            throw new IllegalStateException("the text has not ended");
        }
        return new Generated(Arrays.copyOf(ids, length), text.text(), why);
    }
}
