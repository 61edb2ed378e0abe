package dev.graft.models.generate;

import dev.graft.formats.InputException;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The options of generation. The filters are applied in the order of the parameters, as in Hugging Face's {@code generate}: repetition penalty,
 * temperature, top-k, top-p, min-p.
 *
 * <pre>{@code
 * GenerateOptions.DEFAULT.withMaxNewTokens(40);                  // greedy
 * GenerateOptions.DEFAULT.withTemperature(0.7).withTopP(0.95).withSeed(1);   // nucleus sampling
 * GenerateOptions.DEFAULT.withBeams(BeamOptions.of(4));          // the likeliest text of four kept at every step
 * }</pre>
 *
 * @param maxNewTokens the largest number of new tokens, at least 1
 * @param repetitionPenalty divides positive and multiplies negative logits of tokens that occurred before (Keskar et al., 2019); 1 for none
 * @param temperature divides the logits before sampling; 0 selects the likeliest token
 * @param topK the number of likeliest tokens kept; 0 for all
 * @param topP the smallest set of likeliest tokens with this much probability is kept (Holtzman et al., 2020); 1 for all
 * @param minP tokens with less than this part of the likeliest token's probability are dropped (Nguyen et al., 2024); 0 for none
 * @param seed the random seed of all draws
 * @param stop texts that end the generation and are excluded from it
 * @param noRepeatNgramSize the length of token runs that may not occur twice; 0 for no such rule
 * @param beams beam search, which draws no samples
 * @param endTokens token ids that end a text; null for those of the model's configuration, empty for none
 */
@RecordBuilder
public record GenerateOptions(
        int maxNewTokens,
        double repetitionPenalty,
        double temperature,
        int topK,
        double topP,
        double minP,
        long seed,
        List<String> stop,
        int noRepeatNgramSize,
        BeamOptions beams,
        @Nullable Set<Integer> endTokens)
        implements GenerateOptionsBuilder.With {

    /** Greedy decoding of at most 256 tokens. */
    public static final GenerateOptions DEFAULT =
            new GenerateOptions(256, 1, 0, 0, 1, 0, 42, List.of(), 0, BeamOptions.NONE, null);

    /** @throws InputException when a value is out of its range */
    public GenerateOptions {
        require("max_new_tokens", maxNewTokens, maxNewTokens >= 1, "at least 1");
        require("repetition_penalty", repetitionPenalty, repetitionPenalty > 0, "more than 0");
        require("temperature", temperature, temperature >= 0, "at least 0, where 0 takes the likeliest token");
        require("top_k", topK, topK >= 0, "at least 0, where 0 keeps all tokens");
        require("top_p", topP, topP > 0 && topP <= 1, "more than 0 and at most 1");
        require("min_p", minP, minP >= 0 && minP <= 1, "from 0 to 1");
        require("no_repeat_ngram_size", noRepeatNgramSize, noRepeatNgramSize >= 0, "at least 0, where 0 allows all");
        if (beams.count() > 1 && temperature > 0) {
            throw new InputException("num_beams is " + beams.count() + " and temperature " + temperature
                    + ": beam search takes no samples, leave one of them out");
        }
        if (beams.count() > 1 && !stop.isEmpty()) {
            throw new InputException("num_beams is " + beams.count() + ": beam search can't end at stop texts " + stop);
        }
        stop = List.copyOf(stop);
        if (stop.contains("")) {
            throw new InputException("stop has an empty text, expected texts of at least one character");
        }
        endTokens = endTokens == null ? null : Set.copyOf(endTokens);
    }

    private static void require(String name, double value, boolean fits, String expected) {
        if (!fits || !Double.isFinite(value)) {
            String shown = value == Math.rint(value) && Double.isFinite(value)
                    ? String.valueOf((long) value)
                    : String.valueOf(value);
            throw new InputException(name + " is " + shown + ", expected a number of " + expected);
        }
    }

    /** Returns a copy that ends a text before any of these texts. */
    public GenerateOptions withStop(String... texts) {
        return withStop(List.of(texts));
    }
}
