package dev.graft.models.arch;

import dev.graft.models.Backbone;
import dev.graft.models.attention.AttentionMask;
import dev.graft.models.attention.AttentionWindow;
import dev.graft.models.attention.Rope;
import dev.graft.models.attention.ScaledDotProductAttention;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.layers.InputEmbeddings;
import dev.graft.models.layers.LayerOps;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Layer;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.models.sites.Stream;
import dev.graft.models.weights.Weights;
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
 * The common decoder of Llama (Touvron et al., 2023) and its descendants, with rotary positions, grouped queries and a
 * gated feed-forward block. The {@link LlamaConfig} of a family describes its differences. With h the residual stream
 * {@code [batch, seq, hidden]}, a layer is
 *
 * <pre>{@code
 * x = norm(h);  h = h + o(attend(rope(q(x)), rope(k(x)), v(x)))
 * x = norm(h);  h = h + down(silu(gate(x)) * up(x))
 * }</pre>
 */
final class LlamaDecoder implements Backbone {
    private final LlamaConfig config;
    private final Embedding tokens;
    private final Stream stream;
    private final List<DecoderLayer> layers = new ArrayList<>();
    private final Norm norm;

    private record DecoderLayer(
            LlamaConfig.LayerKind kind,
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

    LlamaDecoder(LlamaConfig config, Weights w, String prefix) {
        this.config = config;
        Size size = config.size();
        tokens = w.tokenEmbedding(prefix + "embed_tokens", size.vocab(), size.hidden(), config.padding());
        stream = Stream.of(prefix, size.hidden());
        for (int i = 0; i < size.layers(); i++) {
            layers.add(layer(w, prefix + "layers." + i, i));
        }
        norm = norm(w, prefix + "norm", -1);
    }

    private DecoderLayer layer(Weights w, String name, int i) {
        int h = config.size().hidden();
        LlamaConfig.Heads heads = config.heads();
        String a = name + ".self_attn.";
        int queries = config.size().heads() * heads.dim();
        int keys = heads.keyValues() * heads.dim();
        List<Linear> projections = heads.fused()
                ? List.of(w.linear(a + "qkv_proj", Role.QUERY_KEY_VALUE, i, queries + 2L * keys, h, heads.bias()))
                : List.of(
                        w.linear(a + "q_proj", Role.QUERY, i, queries, h, heads.bias()),
                        w.linear(a + "k_proj", Role.KEY, i, keys, h, heads.bias()),
                        w.linear(a + "v_proj", Role.VALUE, i, keys, h, heads.bias()));
        boolean before = config.norms().placement() != LlamaConfig.NormPlacement.BEHIND;
        boolean behind = config.norms().placement() != LlamaConfig.NormPlacement.BEFORE;
        // The norm behind the attention has the name that Llama gives to the one before the feed-forward block.
        return new DecoderLayer(
                config.kinds().get(i),
                before ? norm(w, name + ".input_layernorm", i) : null,
                new Attention(
                        name + ".self_attn",
                        i,
                        Attention.Kind.OWN,
                        heads.keyValues(),
                        heads.dim(),
                        heads.scale(),
                        heads.cap()),
                projections,
                headNorm(w, a + "q_norm", i, queries),
                headNorm(w, a + "k_norm", i, keys),
                w.linear(a + "o_proj", Role.OUTPUT, i, h, queries, heads.outputBias()),
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
        int dim = config.heads().dim();
        return switch (config.heads().norm()) {
            case NONE -> null;
            case EACH -> norm(w, name, i, dim);
            case ALL -> norm(w, name, i, all);
            case UNWEIGHTED -> config.kinds().get(i).rope() == null ? null : unweighted(w, name, i, dim);
        };
    }

    private Norm unweighted(Weights w, String name, int i, int size) {
        Tensor ones = Tensors.ones(w.numerics().small(), size);
        ones.retainReference();
        return new Norm(name, i, Norm.Kind.RMS, ones, null, config.norms().eps());
    }

    private FeedForward feedForward(Weights w, String layer, int i) {
        int h = config.size().hidden();
        LlamaConfig.Mlp mlp = config.mlp();
        String m = layer + "." + mlp.name() + ".";
        MixtureOfExperts.Config experts = config.kinds().get(i).experts();
        if (experts != null) {
            return new MixtureOfExperts(experts, w, layer, i, h);
        }
        List<Linear> in = mlp.fused()
                ? List.of(w.linear(m + "gate_up_proj", Role.GATE_UP, i, 2L * mlp.intermediate(), h, mlp.bias()))
                : List.of(
                        w.linear(m + "gate_proj", Role.GATE, i, mlp.intermediate(), h, mlp.bias()),
                        w.linear(m + "up_proj", Role.UP, i, mlp.intermediate(), h, mlp.bias()));
        return new FeedForward.Gated(
                in, w.linear(m + "down_proj", Role.DOWN, i, h, mlp.intermediate(), mlp.bias()), mlp.activation());
    }

    private Norm norm(Weights w, String name, int layer) {
        return norm(w, name, layer, config.size().hidden());
    }

    private Norm norm(Weights w, String name, int layer, int size) {
        return new Norm(
                name,
                layer,
                config.norms().kind(),
                w.vector(name + ".weight", size),
                null,
                config.norms().eps());
    }

    @Override
    public List<List<Linear>> siblings() {
        return layers.stream()
                .flatMap(layer -> List.of(layer.projections, layer.feedForward.siblings()).stream())
                .filter(each -> !each.isEmpty())
                .toList();
    }

    @Override
    public boolean supportsPacking() {
        return true;
    }

    @Override
    public HiddenStates forward(Inputs in, ForwardPass pass) {
        ScalarType small = norm.weight().scalar_type();
        ScalarType base = layers.get(0).output.type();
        Tensor[] start = pass.segment(() -> {
            InputEmbeddings embeddings = InputEmbeddings.of(tokens, in, config.embeddingScale(), small, pass);
            return new Tensor[] {embeddings.rows(), embeddings.positions()};
        });
        AttentionMask mask = AttentionMask.of(layers.get(0).attention, true, base, pass);
        Tensor shift = mask.positionShift();
        Tensor positions = shift == null ? start[1] : start[1].add(shift);
        Map<AttentionWindow, AttentionMask> masks = new HashMap<>();
        Map<Rope, Rope.Angles> angles = new HashMap<>();
        for (LlamaConfig.LayerKind kind : config.kinds()) {
            masks.computeIfAbsent(kind.attentionWindow(), mask::within);
            if (kind.rope() != null) {
                angles.computeIfAbsent(
                        kind.rope(),
                        rope -> rope.at(positions, small, pass.context().longestText())
                                .to(base));
            }
        }
        Map<AttentionTemperature, @Nullable Tensor> factors = new HashMap<>();
        for (LlamaConfig.LayerKind kind : config.kinds()) {
            if (kind.temperature() != null && !factors.containsKey(kind.temperature())) {
                factors.put(kind.temperature(), kind.temperature().at(positions));
            }
        }
        Tensor h = LayerOps.enterLayers(pass, stream, LayerOps.dropout(pass, start[0], config.embeddingDropout()));
        List<Tensor> given = new ArrayList<>();
        factors.values().stream().filter(Objects::nonNull).forEach(given::add);
        angles.values().forEach(each -> given.addAll(List.of(each.cos(), each.sin())));
        h = LayerOps.layers(pass, layers, h, masks.values(), given, (layer, x) -> {
            LlamaConfig.LayerKind kind = layer.kind;
            LayerInputs view = new LayerInputs(
                    masks.getOrDefault(kind.attentionWindow(), mask),
                    kind.rope() == null ? null : angles.get(kind.rope()),
                    kind.temperature() == null ? null : factors.get(kind.temperature()));
            return forward(layer, x, view, base, pass);
        });
        h = pass.hooks().norm(norm, h, pass);
        pass.collect(h);
        mask.end(pass);
        return pass.result(h);
    }

    /** The inputs of a layer in a pass: its mask, the angles of positions, and the factors of queries. */
    private record LayerInputs(
            AttentionMask mask,
            Rope.@Nullable Angles angles,
            @Nullable Tensor factors) {}

    private Tensor forward(DecoderLayer layer, Tensor h, LayerInputs view, ScalarType base, ForwardPass pass) {
        Tensor attended = attend(layer, h, view, base, pass);
        Tensor middle = layer.afterAttention == null
                ? LayerOps.add(pass, layer.attentionBlock, h, layer.output, attended, config.residualDropout())
                : normed(
                        layer.attentionBlock,
                        layer.afterAttention,
                        h,
                        LayerOps.linear(pass, layer.output, attended),
                        pass);
        FeedForward block = layer.feedForward;
        Norm before = layer.feedForwardNorm;
        Tensor result = layer.afterFeedForward == null
                ? block.add(layer.feedForwardBlock, before, middle, base, config.residualDropout(), pass)
                : normed(
                        layer.feedForwardBlock,
                        layer.afterFeedForward,
                        middle,
                        block.apply(before, middle, base, pass),
                        pass);
        return LayerOps.leaveLayer(pass, layer.layer, result);
    }

    /** Adds the norm of a block's output to the residual stream. */
    private Tensor normed(Block site, Norm norm, Tensor h, Tensor out, ForwardPass pass) {
        return LayerOps.add(
                pass,
                site,
                h,
                LayerOps.dropout(pass, LayerOps.norm(pass, norm, out, h.scalar_type()), config.residualDropout()));
    }

    private Tensor attend(DecoderLayer layer, Tensor h, LayerInputs view, ScalarType base, ForwardPass pass) {
        LlamaConfig.Heads heads = config.heads();
        int queries = config.size().heads();
        long keys = (long) heads.keyValues() * heads.dim();
        Tensor[] projected =
                LayerOps.linears(pass, layer.attentionNorm, h, base, layer.projections.toArray(Linear[]::new));
        Tensor[] qkv = heads.fused()
                ? LayerOps.split(pass, projected[0], (long) queries * heads.dim(), keys, keys)
                : projected;
        Tensor q = layer.queryNorm == null ? qkv[0] : LayerOps.norm(pass, layer.queryNorm, qkv[0], base);
        Tensor k = layer.keyNorm == null ? qkv[1] : LayerOps.norm(pass, layer.keyNorm, qkv[1], base);
        return ScaledDotProductAttention.attend(
                layer.attention,
                AttentionTemperature.apply(LayerOps.splitHeads(pass, q, queries, view.angles), view.factors, pass),
                LayerOps.splitHeads(pass, k, heads.keyValues(), view.angles),
                LayerOps.splitHeads(pass, qkv[2], heads.keyValues(), null),
                view.mask,
                heads.dropout(),
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
            if (config.heads().norm() != LlamaConfig.HeadNorm.UNWEIGHTED) {
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
    public int maxStablePositions() {
        return config.kinds().stream()
                .filter(kind -> kind.rope() != null)
                .mapToInt(kind -> kind.rope().maxStablePositions())
                .reduce(maxPositions(), Math::min);
    }

    @Override
    public boolean hasMixedLayers() {
        return config.kinds().stream().distinct().count() > 1;
    }

    @Override
    public boolean hasLoadBalanceLoss() {
        return config.kinds().stream()
                .anyMatch(kind -> kind.experts() != null && kind.experts().balance() > 0);
    }

    @Override
    public boolean rotatesDifferently(long length, long other) {
        return config.kinds().stream()
                .anyMatch(kind -> kind.rope() != null && kind.rope().rotatesDifferently(length, other));
    }

    @Override
    public Size size() {
        return config.size();
    }
}
