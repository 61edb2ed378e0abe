package dev.graft.train.data;

import dev.graft.formats.InputException;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.models.tokenizers.SpecialTokens;
import dev.graft.models.tokenizers.Tokenizer;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Prompts with completions, or token ids, for a causal language model. What is before the text (such as {@code <s>}) is what the
 * tokenizer adds, and the end token follows the completion, so that the model learns to stop. The prompt has the tokens that it has
 * alone: exactly what the model will see when it is asked.
 */
public final class CausalEncoder implements RowEncoder {
    private static final EncodeOptions PLAIN = EncodeOptions.DEFAULT.withoutSpecialTokens();

    private final @Nullable Tokenizer tokenizer;
    private final LossOn lossOn;
    private final int vocabSize;

    /**
     * @param tokenizer null if all rows are token ids
     * @param vocabSize embedding rows of the model
     */
    public CausalEncoder(@Nullable Tokenizer tokenizer, LossOn lossOn, int vocabSize) {
        this.tokenizer = tokenizer;
        this.lossOn = lossOn;
        this.vocabSize = vocabSize;
    }

    @Override
    public Example encode(int index, Row row, String place, int maxLength) {
        if (row instanceof Row.Tokens tokens) {
            requireIds(tokens.ids(), vocabSize, place);
            return example(index, tokens.ids(), tokens.labels(), maxLength);
        }
        if (row instanceof Row.Completion completion && tokenizer != null) {
            return completion(index, completion, tokenizer, maxLength);
        }
        throw RowEncoder.unfit(
                row, place, "fine-tuning a causal model", RowShape.CHAT, RowShape.PROMPT_COMPLETION, RowShape.TOKENS);
    }

    private Example completion(int index, Row.Completion row, Tokenizer tokenizer, int maxLength) {
        int[] prompt =
                concat(before(tokenizer), tokenizer.encode(row.prompt(), PLAIN).ids());
        int[] whole = concat(
                before(tokenizer),
                tokenizer.encode(row.prompt() + row.completion(), PLAIN).ids());
        boolean continues =
                whole.length >= prompt.length && Arrays.equals(whole, 0, prompt.length, prompt, 0, prompt.length);
        int[] text = continues
                ? whole
                : concat(prompt, tokenizer.encode(row.completion(), PLAIN).ids());
        int[] ids = concat(
                text, tokenizer.specialTokens().require(SpecialTokens.Role.EOS).id());
        int[] labels = ids.clone();
        if (lossOn != LossOn.ALL) {
            Arrays.fill(labels, 0, prompt.length, Target.NONE);
        }
        return example(index, ids, labels, maxLength);
    }

    /** The special tokens that the tokenizer puts before a text. */
    private static int[] before(Tokenizer tokenizer) {
        Encoding encoding = tokenizer.encode("a", EncodeOptions.DEFAULT);
        int count = 0;
        while (count < encoding.length() && encoding.specialTokensMask()[count] == 1) {
            count++;
        }
        return Arrays.copyOf(encoding.ids(), count);
    }

    private static Example example(int index, int[] ids, int[] labels, int maxLength) {
        boolean cut = ids.length > maxLength;
        return new Example(
                index,
                cut ? Arrays.copyOf(ids, maxLength) : ids,
                null,
                new Target.Tokens(cut ? Arrays.copyOf(labels, maxLength) : labels));
    }

    private static int[] concat(int[] first, int... second) {
        return IntStream.concat(Arrays.stream(first), Arrays.stream(second)).toArray();
    }

    static void requireIds(int[] ids, int vocabSize, String place) {
        for (int i = 0; i < ids.length; i++) {
            if (ids[i] >= vocabSize) {
                throw new InputException(place + ": input_ids[" + i + "] is " + ids[i] + ", but the model has "
                        + vocabSize + " embedding rows; the ids are of another tokenizer");
            }
        }
    }
}
