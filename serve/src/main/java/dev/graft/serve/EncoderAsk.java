package dev.graft.serve;

import dev.graft.models.tokenizers.Encoding;
import java.util.List;

/**
 * Texts to be read whole.
 *
 * @param tenant whose turn they take
 * @param deadline by {@link System#nanoTime}, when they are given up; {@link Long#MAX_VALUE} for never
 */
public record EncoderAsk(List<Encoding> texts, Served adapter, String tenant, long deadline) {
    /** Without deadline. */
    public static EncoderAsk of(List<Encoding> texts, Served adapter) {
        return new EncoderAsk(texts, adapter, "", Long.MAX_VALUE);
    }
}
