package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import dev.graft.peft.Method;
import dev.graft.tensor.Ops;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Prefix tuning (Li and Liang, 2021): T trained keys and values before those of every attention layer, in one tensor
 * {@code P [T, layers · 2 · heads · headDim]}, viewed as {@code [T, 2 · layers, heads, headDim]}: layer i has its keys at 2i, its values at
 * 2i + 1; heads are the key/value heads. On decoders the text's positions start at T, as behind any cache; encoders with learned positions
 * keep theirs.
 *
 * <p>With a projection P is made by a small network while training, {@code P = tanh(E W₁ᵀ + b₁) W₂ᵀ + b₂} with {@code E [T, d]},
 * {@code W₁ [h, d]}, {@code W₂ [layers · 2 · d, h]} and d = heads · headDim. Files hold P alone, so a loaded adapter is plain.
 *
 * <p>Trained: T · 2 · layers · d, or T · d + h · (d + 1) + 2 · layers · d · (h + 1) with a projection. E and a plain P start normal around 0
 * with deviation 1, the network as {@code nn.Linear}. Files: {@code prompt_embeddings}. Doesn't merge, and has no strength but 1. Use it for
 * generation where the base must stay untouched and the sequence mustn't get longer in the outputs; LoRA of equal size mostly learns
 * faster. PEFT itself refuses it on BERT.
 *
 * @param tokens T
 * @param projection whether a network makes P while training
 * @param encoderHidden h, or null for d
 * @param zero whether P starts at zero: then every query looks at T empty keys, which isn't the identity either
 */
public record PrefixTuning(
        int tokens, boolean projection, @Nullable Integer encoderHidden, boolean zero) implements Method {
    private static final String KEY = "prompt_embeddings";

    /** Twenty keys and values, made by a network. */
    public static final PrefixTuning DEFAULT = new PrefixTuning(20, true, null, false);

    public PrefixTuning {
        if (tokens < 1) {
            throw new InputException("num_virtual_tokens is " + tokens + ", expected at least 1");
        }
        if (encoderHidden != null && encoderHidden < 1) {
            throw new InputException("encoder_hidden_size is " + encoderHidden + ", expected at least 1");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    /** Some columns of P. */
    private interface Columns {
        Tensor from(long first, long count);
    }

    @Override
    public void graft(Grafter g) {
        VirtualTokens.check(tokens, g.base());
        List<Attention> layers = attention(g.base());
        long dim = dim(g.base());
        long width = 2 * layers.size() * dim;
        Columns columns = projection && !g.loads() ? projected(g, dim, width) : plain(g, width);
        for (int i = 0; i < layers.size(); i++) {
            Attention layer = layers.get(i);
            long first = 2 * i * dim;
            g.add(
                    layer,
                    new Effect.Prefix(
                            tokens,
                            pass -> columns.from(first, 2 * dim)
                                    .view(tokens, 2, layer.heads(), layer.headDim())
                                    .transpose(0, 1),
                            true));
        }
    }

    private Columns plain(Grafter g, long width) {
        Tensor p = g.parameter(KEY, zero ? Initial.ZEROS : Initial.normal(1), tokens, width);
        return (first, count) -> p.narrow(1, first, count);
    }

    private Columns projected(Grafter g, long dim, long width) {
        long h = encoderHidden == null ? dim : encoderHidden;
        Tensor e = g.inner("prompt_encoder.embedding.weight", Initial.normal(1), tokens, dim);
        Tensor w1 = g.inner("prompt_encoder.transform.0.weight", Initial.KAIMING, h, dim);
        Tensor b1 = g.inner("prompt_encoder.transform.0.bias", Initial.uniform(1 / Math.sqrt(dim)), h);
        Tensor w2 = g.inner("prompt_encoder.transform.2.weight", zero ? Initial.ZEROS : Initial.KAIMING, width, h);
        Tensor b2 = g.inner(
                "prompt_encoder.transform.2.bias", zero ? Initial.ZEROS : Initial.uniform(1 / Math.sqrt(h)), width);
        // Each layer works out its own columns only, so that all layers together cost one pass of the network.
        Columns columns = (first, count) -> Ops.linear(
                        Ops.linear(e, w1, b1).tanh(), w2.narrow(0, first, count), b2.narrow(0, first, count))
                .contiguous();
        g.export(KEY, () -> columns.from(0, width));
        return columns;
    }

    private static List<Attention> attention(Base base) {
        List<Attention> layers = new ArrayList<>();
        for (Site site : base.sites()) {
            if (site instanceof Attention attention) {
                layers.add(attention);
            }
        }
        return layers;
    }

    private static int dim(Base base) {
        Attention first = attention(base).get(0);
        return first.heads() * first.headDim();
    }

    @Override
    public void write(ObjectNode json, Base base) {
        VirtualTokens.write(json, tokens, base, attention(base).get(0).heads(), dim(base));
        json.put("prefix_projection", projection);
        json.put("encoder_hidden_size", encoderHidden == null ? dim(base) : encoderHidden);
        json.put("init_weights", zero ? "zero" : null);
    }

    /** Registers {@code prefix-tuning}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "prefix-tuning";
        }

        @Override
        public String summary() {
            return "trains keys and values that every attention layer sees before the text's own";
        }

        @Override
        public Layout layout() {
            return Layout.PEFT_PROMPT;
        }

        @Override
        public Capabilities capabilities() {
            return new Capabilities(false, false, true, true);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return "PREFIX_TUNING";
        }

        @Override
        public List<String> required() {
            return List.of("num_virtual_tokens");
        }

        @Override
        public Method read(Fields f, Base base) {
            String start = f.stringOrNull("init_weights");
            if (start != null && !start.equals("zero")) {
                throw f.wrong("init_weights", "\"zero\" or null");
            }
            return new PrefixTuning(
                    VirtualTokens.read(f, base, attention(base).get(0).heads(), dim(base)),
                    f.bool("prefix_projection", false),
                    f.integerOrNull("encoder_hidden_size", 1, Integer.MAX_VALUE),
                    start != null);
        }
    }
}
