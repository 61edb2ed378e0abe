package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Activation;
import dev.graft.models.Attend;
import dev.graft.models.AttentionMask;
import dev.graft.models.Backbone;
import dev.graft.models.Embedded;
import dev.graft.models.Hidden;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.Reach;
import dev.graft.models.Rope;
import dev.graft.models.SoftCap;
import dev.graft.models.Weights;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Layer;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.models.sites.Stream;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * What Llama (Touvron et al., 2023) and its descendants have in common: a decoder with rotary positions, grouped queries and a gated
 * feed-forward block. A family says by its {@link Config} how it differs. With h the residual stream {@code [batch, seq, hidden]} a layer is
 *
 * <pre>{@code
 * x = norm(h);  h = h + o(attend(rope(q(x)), rope(k(x)), v(x)))
 * x = norm(h);  h = h + down(silu(gate(x)) * up(x))
 * }</pre>
 */
final class Decoder implements Backbone {
    private final Config config;
    private final Embedding tokens;
    private final Stream stream;
    private final List<DecoderLayer> layers = new ArrayList<>();
    private final Norm norm;

    /** Where a layer normalises: before its blocks, behind them, or both. */
    enum Place {
        BEFORE,
        BEHIND,
        BOTH
    }

    /** What of queries and keys is normalised before they are turned. */
    enum HeadNorm {
        NONE,
        /** Each head. */
        EACH,
        /** All heads together. */
        ALL,
        /** Each head, without weights, and only in layers with positions. */
        UNWEIGHTED
    }

    /**
     * How a layer attends.
     *
     * @param scale what the products of queries and keys are multiplied by
     * @param bias whether the queries, keys and values have biases
     * @param outputBias whether the output has one
     * @param cap of the scores, or null
     * @param fused whether one layer gives queries, keys and values
     */
    record Heads(
            int keyValues,
            int dim,
            double scale,
            double dropout,
            boolean bias,
            boolean outputBias,
            boolean fused,
            HeadNorm norm,
            @Nullable SoftCap cap) {
        /** Heads as Llama has them, with what config.json says of biases. */
        static Heads read(Fields f, Size size, int absentKeyValues) {
            return read(f, size, absentKeyValues, size.hidden() / size.heads());
        }

        /** The same where the family has its own default for the size of a head; null is that of a hidden state by the number of heads. */
        static Heads read(Fields f, Size size, int absentKeyValues, int absentDim) {
            int keyValues = keyValues(f, size, absentKeyValues);
            int dim = f.has("head_dim") && f.integerOrNull("head_dim") == null
                    ? size.hidden() / size.heads()
                    : f.integer("head_dim", absentDim, 1);
            boolean bias = f.bool("attention_bias", false);
            return new Heads(
                    keyValues,
                    dim,
                    1 / Math.sqrt(dim),
                    f.number("attention_dropout", 0.0),
                    bias,
                    bias,
                    false,
                    HeadNorm.NONE,
                    null);
        }

        /** How many heads keys and values have; null for as many as queries. */
        static int keyValues(Fields f, Size size, int absent) {
            int keyValues = f.has("num_key_value_heads") && f.integerOrNull("num_key_value_heads") == null
                    ? size.heads()
                    : f.integer("num_key_value_heads", absent);
            if (keyValues < 1 || size.heads() % keyValues != 0) {
                throw f.wrong("num_key_value_heads", "a divisor of num_attention_heads " + size.heads());
            }
            return keyValues;
        }

        Heads withBias(boolean newBias, boolean newOutputBias) {
            return new Heads(keyValues, dim, scale, dropout, newBias, newOutputBias, fused, norm, cap);
        }

        Heads withScale(double newScale) {
            return new Heads(keyValues, dim, newScale, dropout, bias, outputBias, fused, norm, cap);
        }

        Heads withNorm(HeadNorm newNorm) {
            return new Heads(keyValues, dim, scale, dropout, bias, outputBias, fused, newNorm, cap);
        }

        Heads withCap(@Nullable SoftCap newCap) {
            return new Heads(keyValues, dim, scale, dropout, bias, outputBias, fused, norm, newCap);
        }

        Heads asFused() {
            return new Heads(keyValues, dim, scale, dropout, bias, outputBias, true, norm, cap);
        }
    }

    /** The feed-forward block: its name in a layer, its inner size, biases, whether gate and up are one layer. */
    record Mlp(String name, int intermediate, boolean bias, boolean fused, Activation activation) {
        /** The block as Llama has it. */
        static Mlp read(Fields f) {
            return read(f, "hidden_act", "silu");
        }

        /** The same with another activation. */
        static Mlp read(Fields f, String field, String absent) {
            return new Mlp(
                    "mlp",
                    f.integer("intermediate_size"),
                    f.bool("mlp_bias", false),
                    false,
                    Activation.read(f, field, absent));
        }

        Mlp asFused() {
            return new Mlp(name, intermediate, bias, true, activation);
        }
    }

    /** Where and how a layer normalises. */
    record Norms(Place place, Norm.Kind kind, double eps) {
        /** Before the blocks. */
        static Norms read(Fields f, double absent) {
            return new Norms(Place.BEFORE, Norm.Kind.RMS, f.number("rms_norm_eps", absent));
        }
    }

    /**
     * How layers differ from one another.
     *
     * @param rope the positions, or null for none
     * @param temperature of the scores, or null
     * @param experts in place of the feed-forward block, or null
     */
    record Kind(@Nullable Rope rope, Reach reach, @Nullable Temperature temperature, Mixture.@Nullable Config experts) {
        /** A layer that doesn't tune the temperature of its scores. */
        Kind(@Nullable Rope rope, Reach reach, Mixture.@Nullable Config experts) {
            this(rope, reach, null, experts);
        }
    }

    /**
     * A family's shape.
     *
     * @param padding as in {@link Embedding}
     * @param embeddingScale what token embeddings are multiplied by
     * @param embeddingDropout of the embeddings
     * @param residualDropout of what blocks add
     * @param kinds one for each layer
     */
    record Config(
            Size size,
            Heads heads,
            Mlp mlp,
            Norms norms,
            int padding,
            double embeddingScale,
            double embeddingDropout,
            double residualDropout,
            List<Kind> kinds) {
        /** Nothing scaled or dropped. */
        Config(Size size, Heads heads, Mlp mlp, Norms norms, int padding, List<Kind> kinds) {
            this(size, heads, mlp, norms, padding, 1, 0, 0, kinds);
        }
    }

    /** The sizes, with what a family takes for the number of positions where config.json says nothing. */
    static Size size(Fields f, int absentPositions) {
        int heads = f.integer("num_attention_heads");
        if (heads < 1) {
            throw f.wrong("num_attention_heads", "at least 1");
        }
        return new Size(
                f.integer("vocab_size"),
                f.integer("hidden_size"),
                f.integer("num_hidden_layers"),
                heads,
                Rope.positions(f, absentPositions));
    }

    private record DecoderLayer(
            Kind kind,
            @Nullable Norm attentionNorm,
            Attention attention,
            List<Linear> projections,
            @Nullable Norm queryNorm,
            @Nullable Norm keyNorm,
            Linear output,
            @Nullable Norm afterAttention,
            Block attentionBlock,
            @Nullable Norm feedForwardNorm,
            FeedForward feedForward,
            @Nullable Norm afterFeedForward,
            Block feedForwardBlock,
            Layer layer) {}

    Decoder(Config config, Weights w, String prefix) {
        this.config = config;
        Size size = config.size;
        tokens = w.tokens(prefix + "embed_tokens", size.vocab(), size.hidden(), config.padding);
        stream = Stream.of(prefix, size.hidden());
        for (int i = 0; i < size.layers(); i++) {
            layers.add(layer(w, prefix + "layers." + i, i));
        }
        norm = norm(w, prefix + "norm", -1);
    }

    private DecoderLayer layer(Weights w, String name, int i) {
        int h = config.size.hidden();
        Heads heads = config.heads;
        String a = name + ".self_attn.";
        int queries = config.size.heads() * heads.dim;
        int keys = heads.keyValues * heads.dim;
        List<Linear> projections = heads.fused
                ? List.of(w.linear(a + "qkv_proj", Role.QUERY_KEY_VALUE, i, queries + 2L * keys, h, heads.bias))
                : List.of(
                        w.linear(a + "q_proj", Role.QUERY, i, queries, h, heads.bias),
                        w.linear(a + "k_proj", Role.KEY, i, keys, h, heads.bias),
                        w.linear(a + "v_proj", Role.VALUE, i, keys, h, heads.bias));
        boolean before = config.norms.place != Place.BEHIND;
        boolean behind = config.norms.place != Place.BEFORE;
        // The norm behind the attention has the name that Llama gives to the one before the feed-forward block.
        return new DecoderLayer(
                config.kinds.get(i),
                before ? norm(w, name + ".input_layernorm", i) : null,
                new Attention(
                        name + ".self_attn", i, Attention.Kind.OWN, heads.keyValues, heads.dim, heads.scale, heads.cap),
                projections,
                headNorm(w, a + "q_norm", i, queries),
                headNorm(w, a + "k_norm", i, keys),
                w.linear(a + "o_proj", Role.OUTPUT, i, h, queries, heads.outputBias),
                behind ? norm(w, name + ".post_attention_layernorm", i) : null,
                new Block(name + ".attention_adapters", i, Block.Kind.ATTENTION, h, null),
                before
                        ? norm(w, name + (behind ? ".pre_feedforward_layernorm" : ".post_attention_layernorm"), i)
                        : null,
                feedForward(w, name, i),
                behind ? norm(w, name + ".post_feedforward_layernorm", i) : null,
                new Block(name + ".output_adapters", i, Block.Kind.FEED_FORWARD, h, null),
                new Layer(name, i, h));
    }

    /** @param all the size of all heads together */
    private @Nullable Norm headNorm(Weights w, String name, int i, int all) {
        int dim = config.heads.dim;
        return switch (config.heads.norm) {
            case NONE -> null;
            case EACH -> norm(w, name, i, dim);
            case ALL -> norm(w, name, i, all);
            case UNWEIGHTED -> config.kinds.get(i).rope == null ? null : unweighted(w, name, i, dim);
        };
    }

    private Norm unweighted(Weights w, String name, int i, int size) {
        Tensor ones = Tensors.ones(w.numerics().small(), size);
        ones.retainReference();
        return new Norm(name, i, Norm.Kind.RMS, ones, null, config.norms.eps);
    }

    private FeedForward feedForward(Weights w, String layer, int i) {
        int h = config.size.hidden();
        Mlp mlp = config.mlp;
        String m = layer + "." + mlp.name + ".";
        Mixture.Config experts = config.kinds.get(i).experts;
        if (experts != null) {
            return new Mixture(experts, w, layer, i, h);
        }
        List<Linear> in = mlp.fused
                ? List.of(w.linear(m + "gate_up_proj", Role.GATE_UP, i, 2L * mlp.intermediate, h, mlp.bias))
                : List.of(
                        w.linear(m + "gate_proj", Role.GATE, i, mlp.intermediate, h, mlp.bias),
                        w.linear(m + "up_proj", Role.UP, i, mlp.intermediate, h, mlp.bias));
        return new FeedForward.Gated(
                in, w.linear(m + "down_proj", Role.DOWN, i, h, mlp.intermediate, mlp.bias), mlp.activation);
    }

    private Norm norm(Weights w, String name, int layer) {
        return norm(w, name, layer, config.size.hidden());
    }

    private Norm norm(Weights w, String name, int layer, int size) {
        return new Norm(name, layer, config.norms.kind, w.vector(name + ".weight", size), null, config.norms.eps);
    }

    @Override
    public List<List<Linear>> siblings() {
        return layers.stream()
                .flatMap(layer -> List.of(layer.projections, layer.feedForward.siblings()).stream())
                .filter(each -> !each.isEmpty())
                .toList();
    }

    @Override
    public boolean packs() {
        return true;
    }

    @Override
    public Hidden hidden(Inputs in, Pass pass) {
        ScalarType small = norm.weight().scalar_type();
        ScalarType base = layers.get(0).output.type();
        Tensor[] start = pass.piece(() -> {
            Embedded embedded = Embedded.of(tokens, in, config.embeddingScale, small, pass);
            return new Tensor[] {embedded.rows(), embedded.positions()};
        });
        AttentionMask mask = AttentionMask.of(layers.get(0).attention, true, base, pass);
        Tensor shift = mask.shift();
        Tensor positions = shift == null ? start[1] : start[1].add(shift);
        Map<Reach, AttentionMask> masks = new HashMap<>();
        Map<Rope, Rope.Angles> angles = new HashMap<>();
        for (Kind kind : config.kinds) {
            masks.computeIfAbsent(kind.reach, mask::within);
            if (kind.rope != null) {
                angles.computeIfAbsent(
                        kind.rope,
                        rope -> rope.at(positions, small, pass.context().cache())
                                .to(base));
            }
        }
        Map<Temperature, @Nullable Tensor> factors = new HashMap<>();
        for (Kind kind : config.kinds) {
            if (kind.temperature != null && !factors.containsKey(kind.temperature)) {
                factors.put(kind.temperature, kind.temperature.at(positions));
            }
        }
        Tensor h = pass.enter(stream, pass.dropout(start[0], config.embeddingDropout));
        List<Tensor> given = new ArrayList<>();
        factors.values().stream().filter(Objects::nonNull).forEach(given::add);
        angles.values().forEach(each -> given.addAll(List.of(each.cos(), each.sin())));
        h = pass.layers(layers, h, masks.values(), given, (layer, x) -> {
            Kind kind = layer.kind;
            View view = new View(
                    masks.getOrDefault(kind.reach, mask),
                    kind.rope == null ? null : angles.get(kind.rope),
                    kind.temperature == null ? null : factors.get(kind.temperature));
            return forward(layer, x, view, base, pass);
        });
        h = pass.hooks().norm(norm, h, pass);
        pass.collect(h);
        pass.end(mask);
        return pass.result(h);
    }

    /** What a pass shows a layer: who sees whom, the angles of positions, and the factors of queries. */
    private record View(
            AttentionMask mask,
            Rope.@Nullable Angles angles,
            @Nullable Tensor factors) {}

    private Tensor forward(DecoderLayer layer, Tensor h, View view, ScalarType base, Pass pass) {
        Tensor attended = attend(layer, h, view, base, pass);
        Tensor middle = layer.afterAttention == null
                ? pass.add(layer.attentionBlock, h, layer.output, attended, config.residualDropout)
                : normed(layer.attentionBlock, layer.afterAttention, h, pass.linear(layer.output, attended), pass);
        FeedForward block = layer.feedForward;
        Norm before = layer.feedForwardNorm;
        Tensor result = layer.afterFeedForward == null
                ? block.add(layer.feedForwardBlock, before, middle, base, config.residualDropout, pass)
                : normed(
                        layer.feedForwardBlock,
                        layer.afterFeedForward,
                        middle,
                        block.apply(before, middle, base, pass),
                        pass);
        return pass.leave(layer.layer, result);
    }

    /** The residual stream with a norm of a block's output. */
    private Tensor normed(Block site, Norm norm, Tensor h, Tensor out, Pass pass) {
        return pass.add(site, h, pass.dropout(pass.norm(norm, out, h.scalar_type()), config.residualDropout));
    }

    private Tensor attend(DecoderLayer layer, Tensor h, View view, ScalarType base, Pass pass) {
        Heads heads = config.heads;
        int queries = config.size.heads();
        long keys = (long) heads.keyValues * heads.dim;
        Tensor[] projected = pass.linears(layer.attentionNorm, h, base, layer.projections.toArray(Linear[]::new));
        Tensor[] qkv = heads.fused ? pass.split(projected[0], (long) queries * heads.dim, keys, keys) : projected;
        Tensor q = layer.queryNorm == null ? qkv[0] : pass.norm(layer.queryNorm, qkv[0], base);
        Tensor k = layer.keyNorm == null ? qkv[1] : pass.norm(layer.keyNorm, qkv[1], base);
        return Attend.attend(
                layer.attention,
                Temperature.apply(pass.heads(q, queries, view.angles), view.factors, pass),
                pass.heads(k, heads.keyValues, view.angles),
                pass.heads(qkv[2], heads.keyValues, null),
                view.mask,
                heads.dropout,
                pass);
    }

    Embedding tokens() {
        return tokens;
    }

    @Override
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>(List.of(tokens, stream));
        for (DecoderLayer l : layers) {
            sites.addAll(l.projections);
            sites.addAll(List.of(l.output, l.attention));
            if (config.heads.norm != HeadNorm.UNWEIGHTED) {
                add(sites, l.queryNorm, l.keyNorm);
            }
            sites.add(l.attentionBlock);
            sites.addAll(l.feedForward.sites());
            add(sites, l.attentionNorm, l.afterAttention, l.feedForwardNorm, l.afterFeedForward);
            sites.addAll(List.of(l.feedForwardBlock, l.layer));
        }
        sites.add(norm);
        return sites;
    }

    private static void add(List<Site> sites, @Nullable Norm... norms) {
        for (Norm each : norms) {
            if (each != null) {
                sites.add(each);
            }
        }
    }

    @Override
    public int steadyPositions() {
        return config.kinds.stream()
                .filter(kind -> kind.rope != null)
                .mapToInt(kind -> kind.rope.steadyPositions())
                .reduce(maxPositions(), Math::min);
    }

    @Override
    public boolean layersDiffer() {
        return config.kinds.stream().distinct().count() > 1;
    }

    @Override
    public boolean balances() {
        return config.kinds.stream().anyMatch(kind -> kind.experts != null && kind.experts.balance() > 0);
    }

    @Override
    public boolean turnsAnew(long length, long other) {
        return config.kinds.stream().anyMatch(kind -> kind.rope != null && kind.rope.turnsAnew(length, other));
    }

    @Override
    public Size size() {
        return config.size;
    }
}
