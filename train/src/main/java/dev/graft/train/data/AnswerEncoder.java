package dev.graft.train.data;

import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.SpecialTokens;
import dev.graft.models.tokenizers.Tokenizer;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Texts with their answers, for an encoder-decoder: prompts with completions, or pairs of texts of which the second answers the first.
 * Both sides get the special tokens that the tokenizer adds; the answer has before it the token that starts one.
 *
 * <pre>{@code
 * RowEncoder encoder = new AnswerEncoder(base.tokenizer(), base.answerStart());
 * }</pre>
 *
 * @param start the token that starts an answer
 */
public record AnswerEncoder(Tokenizer tokenizer, int start) implements RowEncoder {
    @Override
    public Example encode(int index, Row row, String place, int maxLength) {
        if (row instanceof Row.Completion completion) {
            return example(index, completion.prompt(), completion.completion(), maxLength);
        }
        if (row instanceof Row.Text text && text.pair() != null) {
            return example(index, text.text(), text.pair(), maxLength);
        }
        throw RowEncoder.unfit(row, place, "fine-tuning an encoder-decoder", RowShape.PROMPT_COMPLETION);
    }

    /** An answer that ends with the end token gets no second one. */
    private int[] endedOnce(String answer) {
        int[] ids = tokenizer.encode(answer, EncodeOptions.DEFAULT).ids();
        int end = tokenizer.specialTokens().id(SpecialTokens.Role.EOS).orElse(-1);
        int last = ids.length - 1;
        boolean twice = last > 0 && ids[last] == end && ids[last - 1] == end;
        return twice ? Arrays.copyOf(ids, last) : ids;
    }

    private Example example(int index, String source, String answer, int maxLength) {
        EncodeOptions options =
                maxLength == Integer.MAX_VALUE ? EncodeOptions.DEFAULT : EncodeOptions.DEFAULT.truncate(maxLength);
        int[] whole = IntStream.concat(IntStream.of(start), Arrays.stream(endedOnce(answer)))
                .toArray();
        // What is cut off here ends without its end token: an answer that goes on should not teach to stop.
        int[] ids = whole.length > maxLength ? Arrays.copyOf(whole, maxLength) : whole;
        int[] labels = ids.clone();
        labels[0] = Target.NONE;
        return new Example(index, tokenizer.encode(source, options).ids(), null, new Target.Tokens(labels), ids, null);
    }
}
