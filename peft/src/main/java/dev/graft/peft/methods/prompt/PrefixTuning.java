package dev.graft.peft.methods.prompt;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.tensor.Ops;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Prefix tuning (Li and Liang, 2021): T keys and values before those of every attention layer, in one tensor
 * {@code P [T, layers · 2 · heads · headDim]}, viewed as {@code [T, 2 · layers, heads, headDim]}: layer i has its keys at 2i, its values at 2i +
 * 1; heads are the key/value heads. In training a small network computes P, {@code P = tanh(E W₁ᵀ + b₁) W₂ᵀ + b₂} with {@code E [T, d]},
 * {@code W₁ [h, d]}, {@code W₂ [layers · 2 · d, h]} and d = heads · headDim. Files contain only P, so a loaded adapter has no network. Without
 * the network it is {@link PTuningV2}, whose files have the same type in PEFT. On decoders the text's positions start at T, as after any cache;
 * encoders with learned positions keep theirs.
 *
 * <p>Trained: T · d + h · (d + 1) + 2 · layers · d · (h + 1), and T · 2 · layers · d once loaded. E starts normal around 0 with deviation 1, the
 * network as {@code nn.Linear}. Files: {@code prompt_embeddings}. Doesn't merge, and has no strength but 1. Use it for generation if the base
 * must stay unchanged and outputs must not get longer; LoRA of equal size mostly learns faster. PEFT itself refuses it on BERT.
 *
 * @param tokens T
 * @param encoderHidden h, or null for d
 * @param zero whether P starts at zero: then every query attends to T empty keys, which isn't the identity either
 */
public record PrefixTuning(int tokens, @Nullable Integer encoderHidden, boolean zero) implements Method {
    /** Twenty keys and values. */
    public static final PrefixTuning DEFAULT = new PrefixTuning(20, null, false);

    public PrefixTuning {
        VirtualTokens.positive(tokens);
        if (encoderHidden != null && encoderHidden < 1) {
            throw new InputException("encoder_hidden_size is " + encoderHidden + ", expected at least 1");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        PrefixTable table = PrefixTable.of(g.base());
        table.add(
                g,
                tokens,
                g.isLoading() ? PTuningV2.plain(g, tokens, table, PTuningV2.Init.ZERO) : projected(g, table));
    }

    private PrefixTable.Columns projected(Grafter g, PrefixTable table) {
        long dim = table.dim();
        long width = table.width();
        long h = encoderHidden == null ? dim : encoderHidden;
        Tensor e = g.unsavedParameter("prompt_encoder.embedding.weight", Initializer.normal(1), tokens, dim);
        Tensor w1 = g.unsavedParameter("prompt_encoder.transform.0.weight", Initializer.KAIMING, h, dim);
        Tensor b1 = g.unsavedParameter("prompt_encoder.transform.0.bias", Initializer.uniform(1 / Math.sqrt(dim)), h);
        Tensor w2 = g.unsavedParameter(
                "prompt_encoder.transform.2.weight", zero ? Initializer.ZEROS : Initializer.KAIMING, width, h);
        Tensor b2 = g.unsavedParameter(
                "prompt_encoder.transform.2.bias",
                zero ? Initializer.ZEROS : Initializer.uniform(1 / Math.sqrt(h)),
                width);
        // Each layer works out its own columns only, so that all layers together cost one pass of the network.
        PrefixTable.Columns columns = (first, count) -> Ops.linear(
                        Ops.linear(e, w1, b1).tanh(), w2.narrow(0, first, count), b2.narrow(0, first, count))
                .contiguous();
        g.export(VirtualTokens.KEY, () -> columns.from(0, width));
        return columns;
    }

    @Override
    public void write(ObjectNode json, Base base) {
        PrefixTable table = PrefixTable.of(base);
        table.write(json, tokens, base);
        json.put("prefix_projection", true);
        json.put("encoder_hidden_size", encoderHidden == null ? table.dim() : encoderHidden);
        json.put("init_weights", zero ? "zero" : null);
    }

    /** Reads the method of a file of PEFT's: prefix tuning, or P-Tuning v2. */
    static Method read(Fields f, Base base) {
        if (!f.bool("prefix_projection", false)) {
            return PTuningV2.read(f, base);
        }
        int tokens = PrefixTable.of(base).read(f, base);
        Integer hidden = f.integerOrNull("encoder_hidden_size", 1, Integer.MAX_VALUE);
        String start = f.stringOrNull("init_weights");
        if (start != null && !start.equals("zero")) {
            throw f.invalid("init_weights", "\"zero\" or null", "zero");
        }
        return new PrefixTuning(tokens, hidden, start != null);
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
            return "keys and values, made by a small network, that every attention layer sees before the text's own";
        }

        @Override
        public Layout layout() {
            return Layout.PEFT_PROMPT;
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL.withMergeable(false).withIdentityAtStart(false);
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
        public boolean matches(Fields config) {
            return config.bool("prefix_projection", false);
        }

        @Override
        public List<String> required() {
            return List.of("num_virtual_tokens");
        }

        @Override
        public Method read(Fields f, Base base) {
            return PrefixTuning.read(f, base);
        }
    }
}
