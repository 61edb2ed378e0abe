package dev.graft.serve;

import dev.graft.models.tokenizers.Encoding;
import java.util.List;

/**
 * A request to encode texts: to embed or classify them.
 *
 * @param texts the tokenised texts
 * @param tenant the client for fair scheduling
 * @param deadline the {@link System#nanoTime} at which the request is abandoned; {@link Long#MAX_VALUE} for never
 */
public record EncodeRequest(List<Encoding> texts, ServedModel model, String tenant, long deadline) {
    /** Returns a request without a tenant and without a deadline. */
    public static EncodeRequest of(List<Encoding> texts, ServedModel model) {
        return new EncodeRequest(texts, model, "", Long.MAX_VALUE);
    }
}
