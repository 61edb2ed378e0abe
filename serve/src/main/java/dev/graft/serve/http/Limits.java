package dev.graft.serve.http;

import io.soabase.recordbuilder.core.RecordBuilder;
import java.time.Duration;

/**
 * Bounds of a request.
 *
 * @param maxBodyBytes the maximum size of its body
 * @param maxTexts the maximum number of texts, prompts times n
 * @param maxNewTokens the maximum number of new tokens of each text
 * @param maxStopStrings the maximum number of stop strings, each of at most 256 characters
 * @param timeout the maximum time from a request to the end of its answer
 * @param idleTimeout the maximum time without traffic on its connection
 */
@RecordBuilder
public record Limits(
        int maxBodyBytes, int maxTexts, int maxNewTokens, int maxStopStrings, Duration timeout, Duration idleTimeout)
        implements LimitsBuilder.With {
    /**
     * Bodies of 4 MB, 16 texts of 4096 tokens, 16 stop strings, a timeout of ten minutes and an idle timeout of half a minute.
     */
    public static final Limits DEFAULT =
            new Limits(4 << 20, 16, 4096, 16, Duration.ofMinutes(10), Duration.ofSeconds(30));
}
