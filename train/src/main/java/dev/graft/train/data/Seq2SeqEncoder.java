package dev.graft.train.data;

import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.SpecialTokens;
import dev.graft.models.tokenizers.Tokenizer;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Encodes texts with their answers for an encoder-decoder: prompts with completions, or pairs of texts of which the second answers the
 * first. The tokenizer adds its special tokens to both; the decoder start token precedes the answer.
 *
 * <pre>{@code
 * RowEncoder encoder = new Seq2SeqEncoder(base.tokenizer(), base.answerStart());
 * }</pre>
 *
 * @param start the decoder start token ({@code decoder_start_token_id})
 */
public record Seq2SeqEncoder(Tokenizer tokenizer, int start) implements RowEncoder {
    @Override
    public Example encode(int index, Row row, String place, int maxLength) {
        if (row instanceof Row.Completion completion) {
            return example(index, completion.prompt(), completion.completion(), maxLength);
        }
        if (row instanceof Row.Text text && text.pair() != null) {
            return example(index, text.text(), text.pair(), maxLength);
        }
        throw RowEncoder.unsupported(row, place, "fine-tuning an encoder-decoder", RowShape.PROMPT_COMPLETION);
    }

    /** An answer that ends with the end token gets no second one. */
    private int[] endedOnce(String answer) {
        int[] ids = tokenizer.encode(answer, EncodeOptions.DEFAULT).ids();
        int end = tokenizer.specialTokens().id(SpecialTokens.TokenRole.EOS).orElse(-1);
        int last = ids.length - 1;
        boolean twice = last > 0 && ids[last] == end && ids[last - 1] == end;
        return twice ? Arrays.copyOf(ids, last) : ids;
    }

    private Example example(int index, String source, String answer, int maxLength) {
        EncodeOptions options = EncodeOptions.upTo(maxLength);
        int[] whole = IntStream.concat(IntStream.of(start), Arrays.stream(endedOnce(answer)))
                .toArray();
        // What is cut off here ends without its end token: an answer that goes on should not teach to stop.
        int[] ids = whole.length > maxLength ? Arrays.copyOf(whole, maxLength) : whole;
        int[] labels = ids.clone();
        labels[0] = Target.NONE;
        return new Example(index, tokenizer.encode(source, options).ids(), null, new Target.Tokens(labels), ids, null);
    }
}
