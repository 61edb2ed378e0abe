package dev.graft.eval.predict;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.Hooks;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Encoding;
import dev.graft.models.tokenizers.SpecialTokens;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.tensor.InferenceScope;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/**
 * Predicts the masked tokens of a text with a masked language model.
 *
 * <pre>{@code
 * new MaskFiller(base, 5).fill("Paris is the [MASK] of France.", Hooks.NONE).get(0).get(0).token();   // capital
 * }</pre>
 *
 * @param base a base with a masked language modelling head
 * @param topK the number of tokens to return for each mask
 */
public record MaskFiller(Base base, int topK) {

    /** A candidate for a masked token. */
    public record FilledToken(String token, double probability) {}

    /**
     * Returns the most probable tokens of each mask, best first.
     *
     * @param text a text with one or several mask tokens
     * @throws InputException if the text has no mask
     */
    public List<List<FilledToken>> fill(String text, Hooks hooks) {
        Tokenizer tokenizer = base.tokenizer();
        SpecialTokens.SpecialToken mask = tokenizer.specialTokens().require(SpecialTokens.TokenRole.MASK);
        Encoding encoding = tokenizer.encode(
                text, EncodeOptions.DEFAULT.withTruncation(base.backbone().maxPositions()));
        int[] ids = encoding.ids();
        long[] masks = IntStream.range(0, ids.length)
                .filter(i -> ids[i] == mask.id())
                .asLongStream()
                .toArray();
        if (masks.length == 0) {
            throw new InputException("the text \"" + text + "\" has no " + mask.content()
                    + " to fill; write it where a token is wanted");
        }
        try (InferenceScope mode = new InferenceScope();
                Scope scope = new Scope()) {
            ForwardPass pass = ForwardPass.inference(hooks);
            long[][] row = {Arrays.stream(ids).asLongStream().toArray()};
            HiddenStates hidden = base.forward(Inputs.of(row), pass);
            Tensor states = hidden.last()
                    .select(0, 0)
                    .index_select(0, Ops.plusLong(Tensors.of(masks, masks.length), hidden.prompt()));
            Tensor logits =
                    Ops.to(base.head().project(states, pass), base.numerics().small());
            var best = logits.softmax(-1).topk(Math.min(topK, logits.size(1)));
            double[] probabilities = Tensors.doubles(best.get0());
            long[] tokens = Tensors.longs(best.get1());
            int each = tokens.length / masks.length;
            List<List<FilledToken>> guesses = new ArrayList<>();
            for (int i = 0; i < masks.length; i++) {
                List<FilledToken> own = new ArrayList<>();
                for (int j = i * each; j < (i + 1) * each; j++) {
                    own.add(new FilledToken(
                            tokenizer.decode(new int[] {(int) tokens[j]}, false).strip(), probabilities[j]));
                }
                guesses.add(own);
            }
            return guesses;
        }
    }
}
