package dev.graft.eval.predict;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Hidden;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.sites.Hooks;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.models.tokenizers.SpecialTokens;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.tensor.Inference;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/**
 * What a model takes to stand behind the masks of a text.
 *
 * <pre>{@code
 * new Filler(base, 5).of("Paris is the [MASK] of France.", Hooks.NONE).get(0).get(0).token();   // capital
 * }</pre>
 *
 * @param base with the head for masked tokens
 * @param most how many tokens are named for each mask
 */
public record Filler(Base base, int most) {

    /** A token that may stand there. */
    public record Guess(String token, double probability) {}

    /**
     * The most probable tokens of each mask, best first.
     *
     * @throws InputException if the text has no mask
     */
    public List<List<Guess>> of(String text, Hooks hooks) {
        Tokenizer tokenizer = base.tokenizer();
        SpecialTokens.Token mask = tokenizer.specialTokens().require(SpecialTokens.Role.MASK);
        Encoding encoding = tokenizer.encode(
                text, EncodeOptions.DEFAULT.truncate(base.backbone().maxPositions()));
        int[] ids = encoding.ids();
        long[] masks = IntStream.range(0, ids.length)
                .filter(i -> ids[i] == mask.id())
                .asLongStream()
                .toArray();
        if (masks.length == 0) {
            throw new InputException("the text \"" + text + "\" has no " + mask.content()
                    + " to fill; write it where a token is wanted");
        }
        try (Inference mode = new Inference();
                Scope scope = new Scope()) {
            Pass pass = Pass.inference(hooks);
            long[][] row = {Arrays.stream(ids).asLongStream().toArray()};
            Hidden hidden = base.hidden(Inputs.of(row), pass);
            Tensor states = hidden.last()
                    .select(0, 0)
                    .index_select(0, Ops.plusLong(Tensors.of(masks, masks.length), hidden.prompt()));
            Tensor logits =
                    Ops.to(base.head().project(states, pass), base.numerics().small());
            var best = logits.softmax(-1).topk(Math.min(most, logits.size(1)));
            double[] probabilities = Tensors.doubles(best.get0());
            long[] tokens = Tensors.longs(best.get1());
            int each = tokens.length / masks.length;
            List<List<Guess>> guesses = new ArrayList<>();
            for (int i = 0; i < masks.length; i++) {
                List<Guess> own = new ArrayList<>();
                for (int j = i * each; j < (i + 1) * each; j++) {
                    own.add(new Guess(
                            tokenizer.decode(new int[] {(int) tokens[j]}, false).strip(), probabilities[j]));
                }
                guesses.add(own);
            }
            return guesses;
        }
    }
}
