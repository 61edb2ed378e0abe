package dev.graft.serve;

import dev.graft.models.generate.GenerateOptions;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A text to be continued.
 *
 * @param copy which of several texts for the same prompt it is, from 1 on; they draw differently
 * @param tenant whose turn it takes
 * @param deadline by {@link System#nanoTime}, when it is given up; {@link Long#MAX_VALUE} for never
 * @param logprobs how many of the likeliest tokens are told beside each chosen one; -1 tells no probabilities at all
 * @param steering what changes the logits before a token is chosen, or null
 * @param promptToo whether the prompt's tokens are told with their probabilities, as {@code logprobs} says it
 * @param end told each piece of the text as its listener is, says whether the text ends with it; null for nothing
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by contract
public record Ask(
        int[] prompt,
        GenerateOptions options,
        int copy,
        Served adapter,
        String tenant,
        long deadline,
        int logprobs,
        boolean promptToo,
        @Nullable Steering steering,
        @Nullable Predicate<String> end) {
    /** Without deadline, probabilities, steering or an end of its own. */
    public static Ask of(int[] prompt, GenerateOptions options, Served adapter) {
        return new Ask(prompt, options, 1, adapter, "", Long.MAX_VALUE, -1, false, null, null);
    }

    public Ask withDeadline(long nanoTime) {
        return new Ask(prompt, options, copy, adapter, tenant, nanoTime, logprobs, promptToo, steering, end);
    }

    public Ask withLogprobs(int likeliest) {
        return new Ask(prompt, options, copy, adapter, tenant, deadline, likeliest, promptToo, steering, end);
    }

    public Ask withPromptToo() {
        return new Ask(prompt, options, copy, adapter, tenant, deadline, logprobs, true, steering, end);
    }
}
