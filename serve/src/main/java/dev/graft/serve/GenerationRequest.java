package dev.graft.serve;

import dev.graft.models.generate.GenerateOptions;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A request to generate a text after a prompt.
 *
 * @param prompt token ids, {@code [length]}, at least one
 * @param sampleIndex the number of the text among those for the same prompt, from 1; each draws differently
 * @param tenant the client for fair scheduling
 * @param deadline the {@link System#nanoTime} at which the request is abandoned; {@link Long#MAX_VALUE} for never
 * @param logprobs the number of likeliest tokens reported beside each chosen one; -1 for no probabilities
 * @param logitsProcessor changes the logits before a token is chosen, or null
 * @param promptLogprobs true to report the probabilities of the prompt's tokens too
 * @param stopCondition receives each piece of the text and returns true to end it; null for none
 */
@RecordBuilder
@SuppressWarnings("ArrayRecordComponent") // read-only by contract
public record GenerationRequest(
        int[] prompt,
        GenerateOptions options,
        int sampleIndex,
        ServedModel model,
        String tenant,
        long deadline,
        int logprobs,
        boolean promptLogprobs,
        @Nullable LogitsProcessor logitsProcessor,
        @Nullable Predicate<String> stopCondition)
        implements GenerationRequestBuilder.With {
    /** Returns a request without deadline, probabilities, logits processor or stop condition. */
    public static GenerationRequest of(int[] prompt, GenerateOptions options, ServedModel model) {
        return GenerationRequestBuilder.builder()
                .prompt(prompt)
                .options(options)
                .sampleIndex(1)
                .model(model)
                .tenant("")
                .deadline(Long.MAX_VALUE)
                .logprobs(-1)
                .build();
    }
}
