package dev.graft.serve.http;

import java.time.Duration;

/**
 * How much a request may ask for.
 *
 * @param bodyBytes of its body
 * @param texts how many texts it may ask for, prompts times n
 * @param newTokens of each text
 * @param stops how many stop strings it may have, of at most 256 characters
 * @param time until it is given up
 * @param idle how long its client may neither send nor take anything
 */
public record Limits(int bodyBytes, int texts, int newTokens, int stops, Duration time, Duration idle) {
    /** 4 MB, 16 texts of 4096 tokens, 16 stop strings, ten minutes, half a minute. */
    public static final Limits DEFAULT =
            new Limits(4 << 20, 16, 4096, 16, Duration.ofMinutes(10), Duration.ofSeconds(30));
}
