package dev.graft.peft.methods.prompt;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * LLaMA-Adapter (Zhang et al., 2023): in the upper layers every query also attends to a trained prompt {@code A [1, T, hidden]}, weighted by a
 * gate g that starts at zero:
 *
 * <pre>{@code
 * attended' = attended + g · softmax(q (W_k A)ᵀ / √headDim) (W_v A)
 * }</pre>
 *
 * with the layer's own frozen W_k and W_v; the prompt has no positions. The output projection then sees the sum.
 *
 * <p>Trained: T · hidden + 1 for each layer. A starts normal around 0 with deviation 1, g at 0, so a new adapter changes nothing. Files:
 * {@code <attention>.adaption_prompt [1, T, hidden]}, {@code <attention>.adaption_gate [1]}. Doesn't merge. Use it to teach a frozen model to
 * follow instructions with few trained values.
 *
 * <p>PEFT applies the output projection to the prompt's part separately, so a bias of that projection counts twice there; here it counts once.
 * Its variant for GPT-2, with one layer for queries, keys and values, isn't supported.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new AdaptionPrompt(10, null, null), 42);
 * }</pre>
 *
 * @param tokens T
 * @param layers the number of layers, from the last one down; null for 30 of 32
 * @param module the end of the names of the attention layers, or null for all
 */
public record AdaptionPrompt(
        int tokens, @Nullable Integer layers, @Nullable String module) implements Method {
    /** Ten rows in nearly all layers. */
    public static final AdaptionPrompt DEFAULT = new AdaptionPrompt(10, null, null);

    public AdaptionPrompt {
        if (tokens < 1) {
            throw new InputException("adapter_len is " + tokens + ", expected at least 1");
        }
        if (layers != null && layers < 1) {
            throw new InputException("adapter_layers is " + layers + ", expected at least 1");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        for (Attention attention : chosen(g.base())) {
            Linear key = linear(g.base(), Role.KEY, attention);
            Linear value = linear(g.base(), Role.VALUE, attention);
            Tensor prompt = g.parameter(attention, "adaption_prompt", Initializer.normal(1), 1, tokens, key.in());
            Tensor gate = g.parameter(attention, "adaption_gate", Initializer.ZEROS, 1);
            g.add(attention, new Gated(attention, key, value, prompt, gate));
        }
    }

    private List<Attention> chosen(Base base) {
        List<Attention> all = new ArrayList<>();
        for (Site site : base.sites()) {
            if (site instanceof Attention attention
                    && attention.kind() == Attention.Kind.OWN
                    && (module == null || attention.name().endsWith("." + module))) {
                all.add(attention);
            }
        }
        if (all.isEmpty()) {
            throw new InputException(
                    module == null
                            ? base.name() + " has no attention layers, to whose answers something could be added"
                            : "target_modules is \"" + module + "\", but no attention layer of " + base.name()
                                    + " has a name that ends so");
        }
        int count = count(base);
        if (count > all.size()) {
            throw new InputException("adapter_layers is " + count + ", but " + base.name() + " has only " + all.size());
        }
        return all.subList(all.size() - count, all.size());
    }

    private int count(Base base) {
        int all = base.backbone().layers();
        return layers == null ? all - all / 16 : layers;
    }

    private static Linear linear(Base base, Role role, Attention attention) {
        for (Site site : base.sites()) {
            if (site instanceof Linear linear
                    && linear.role() == role
                    && linear.layer() == attention.layer()
                    && linear.name().startsWith(attention.name() + ".")) {
                return linear;
            }
        }
        throw new InputException("adaption-prompt: " + attention.name() + " of " + base.name()
                + " has no layer of its own for its " + role.name().toLowerCase(java.util.Locale.ROOT) + "s");
    }

    /** The effect of the prompt on an attention layer. */
    private record Gated(Attention attention, Linear key, Linear value, Tensor prompt, Tensor gate)
            implements Effect.Attend {
        @Override
        public Tensor apply(Tensor queries, PassView pass) {
            long batch = queries.size(0);
            long heads = queries.size(1);
            long seq = queries.size(2);
            long dim = queries.size(3);
            Tensor k = Ops.to(split(key.apply(prompt, pass)), queries.scalar_type());
            Tensor v = Ops.to(split(value.apply(prompt, pass)), queries.scalar_type());
            // Heads that share a key head are folded into rows.
            Tensor q = queries.reshape(batch, attention.heads(), heads / attention.heads() * seq, dim);
            Tensor scores = Ops.scale(q.matmul(k.transpose(1, 2)), 1 / Math.sqrt(dim));
            Tensor weights =
                    Ops.to(scores, new Numerics(q.scalar_type()).small()).softmax(-1);
            Tensor gated = Ops.to(weights.mul(gate), q.scalar_type());
            return gated.matmul(v).view(batch, heads, seq, dim).transpose(1, 2).reshape(batch, seq, heads * dim);
        }

        /** {@code [1, T, kvHeads · headDim]} as {@code [kvHeads, T, headDim]}. */
        private Tensor split(Tensor x) {
            return x.view(x.size(1), attention.heads(), attention.headDim()).transpose(0, 1);
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        json.put("adapter_len", tokens);
        json.put("adapter_layers", count(base));
        json.put("target_modules", module);
    }

    /** Registers {@code adaption-prompt}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "adaption-prompt";
        }

        @Override
        public String summary() {
            return "LLaMA-Adapter: queries of the upper layers also look at a trained prompt, by a gate from zero";
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL.withMergeable(false);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return "ADAPTION_PROMPT";
        }

        @Override
        public double rateFactor() {
            return 10;
        }

        @Override
        public boolean savesModules() {
            return false;
        }

        @Override
        public List<String> required() {
            return List.of("adapter_len", "adapter_layers");
        }

        @Override
        public Method read(Fields f, Base base) {
            return new AdaptionPrompt(
                    f.integer("adapter_len", DEFAULT.tokens(), 1),
                    f.integerOrNull("adapter_layers", 1, Integer.MAX_VALUE),
                    f.stringOrNull("target_modules"));
        }
    }
}
