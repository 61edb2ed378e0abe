package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Backbone;
import dev.graft.models.attention.Alibi;
import dev.graft.models.attention.AttentionMask;
import dev.graft.models.attention.Rope;
import dev.graft.models.attention.ScaledDotProductAttention;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.functions.Activation;
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
import dev.graft.tensor.Ops;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The common decoder of GPT-J (Wang and Komatsuzaki, 2021), GPT-NeoX (Black et al., 2022) and their descendants. It has
 * layer normalisation before its blocks, which may read the same stream. Positions are ALiBi or rotary, often in the
 * first part of each head only. The {@link Config} of a family describes its differences. With h the residual stream
 * {@code [batch, seq, hidden]}, a layer is
 *
 * <pre>{@code
 * h = h + output(attend(rope(q), rope(k), v)) + down(gelu(up(x)))      with x = norm(h) and q, k, v of norm(h): in parallel
 * m = h + output(attend(rope(q), rope(k), v));  h = m + down(gelu(up(norm(m))))                                one after the other
 * }</pre>
 */
final class PreNormDecoder implements Backbone {
    private final Config config;
    private final Embedding tokens;
    private final Stream stream;
    private final List<DecoderLayer> layers = new ArrayList<>();
    private final Norm norm;

    /**
     * The names of the modules in a family.
     *
     * @param layers the list of layers
     * @param output the output projection of {@code attention}
     * @param up the first layer of {@code mlp}; next to a gate it is {@code up_proj}
     * @param down the last layer of {@code mlp}
     * @param norm the norm behind the last layer
     */
    record Names(String tokens, String layers, String attention, String output, String up, String down, String norm) {}

    /** The normalisation of queries and keys before the rotation. */
    enum HeadNorm {
        NONE,
        /** Each head by the same norm. */
        EACH,
        /** Each head by a norm of its own. */
        OWN
    }

    /** One layer that computes queries, keys and values. */
    record Fused(String name, QkvLayout layout) {}

    /**
     * The attention of a layer.
     *
     * @param fused the layer that computes queries, keys and values, or null for {@code q_proj}, {@code k_proj} and
     *     {@code v_proj}
     * @param bias whether the queries, keys and values have biases
     * @param outputBias whether the output projection has one
     */
    record Heads(int keyValues, int dim, @Nullable Fused fused, boolean bias, boolean outputBias, HeadNorm norm) {}

    /** The feed-forward block: its inner size, whether it has a gate, and biases. */
    record Mlp(int intermediate, boolean gated, boolean bias, Activation activation) {}

    /**
     * The norms before the blocks.
     *
     * @param feedForward the name of the feed-forward block's norm, or null if both blocks read that of attention
     * @param parallel whether the feed-forward block's own norm reads the layer's input
     */
    record Norms(String attention, @Nullable String feedForward, boolean parallel, double eps) {}

    /** The dropout in training: of the embeddings, of attention's weights, and of the output of each block. */
    record Dropouts(double embeddings, double weights, double attention, double feedForward) {}

    /**
     * A family's shape.
     *
     * @param padding as in {@link Embedding}
     * @param rope null if there is ALiBi
     * @param alibi null if positions are rotary
     */
    record Config(
            Size size,
            Names names,
            Heads heads,
            Mlp mlp,
            Norms norms,
            Dropouts dropouts,
            int padding,
            @Nullable Rope rope,
            @Nullable Alibi alibi) {
        /** Creates a shape with rotary positions. */
        Config(Size size, Names names, Heads heads, Mlp mlp, Norms norms, Dropouts dropouts, int padding, Rope rope) {
            this(size, names, heads, mlp, norms, dropouts, padding, rope, null);
        }
    }

    /**
     * Reads the sizes, with a family's default for the number of positions. The number of heads must divide
     * {@code hidden_size}.
     */
    static Size size(Fields f, int absentPositions) {
        Size size = LlamaConfig.size(f, absentPositions);
        if (size.hidden() % size.heads() != 0) {
            throw f.invalid("num_attention_heads", "a divisor of hidden_size " + size.hidden());
        }
        return size;
    }

    private record DecoderLayer(
            Norm attentionNorm,
            Attention attention,
            List<Linear> projections,
            List<Norm> queryNorms,
            List<Norm> keyNorms,
            Linear output,
            Block attentionBlock,
            @Nullable Norm feedForwardNorm,
            FeedForward feedForward,
            Block feedForwardBlock,
            Layer layer) {}

    PreNormDecoder(Config config, Weights w, String prefix) {
        this.config = config;
        Size size = config.size;
        tokens = w.tokenEmbedding(prefix + config.names.tokens, size.vocab(), size.hidden(), config.padding);
        stream = Stream.of(prefix, size.hidden());
        for (int i = 0; i < size.layers(); i++) {
            layers.add(layer(w, prefix + config.names.layers + "." + i, i));
        }
        norm = norm(w, prefix + config.names.norm, -1);
    }

    private DecoderLayer layer(Weights w, String name, int i) {
        int h = config.size.hidden();
        Heads heads = config.heads;
        String attention = name + "." + config.names.attention;
        int queries = config.size.heads() * heads.dim;
        int keys = heads.keyValues * heads.dim;
        String second = config.norms.feedForward;
        return new DecoderLayer(
                norm(w, name + "." + config.norms.attention, i),
                new Attention(attention, i, heads.keyValues, heads.dim),
                projections(w, attention + ".", i, queries, keys),
                headNorms(w, attention + ".q_layernorm", i, config.size.heads()),
                headNorms(w, attention + ".k_layernorm", i, heads.keyValues),
                w.linear(attention + "." + config.names.output, Role.OUTPUT, i, h, queries, heads.outputBias),
                new Block(name + ".attention_adapters", i, Block.Kind.ATTENTION, h, null),
                second == null ? null : norm(w, name + "." + second, i),
                feedForward(w, name + ".mlp.", i),
                new Block(name + ".output_adapters", i, Block.Kind.FEED_FORWARD, h, null),
                new Layer(name, i, h));
    }

    private List<Linear> projections(Weights w, String attention, int i, int queries, int keys) {
        int h = config.size.hidden();
        boolean bias = config.heads.bias;
        Fused fused = config.heads.fused;
        return fused == null
                ? List.of(
                        w.linear(attention + "q_proj", Role.QUERY, i, queries, h, bias),
                        w.linear(attention + "k_proj", Role.KEY, i, keys, h, bias),
                        w.linear(attention + "v_proj", Role.VALUE, i, keys, h, bias))
                : List.of(w.linear(attention + fused.name, Role.QUERY_KEY_VALUE, i, queries + 2L * keys, h, bias));
    }

    private List<Norm> headNorms(Weights w, String name, int i, int heads) {
        int dim = config.heads.dim;
        double eps = config.norms.eps;
        return switch (config.heads.norm) {
            case NONE -> List.of();
            case EACH -> List.of(w.layerNorm(name, i, dim, true, eps));
            case OWN ->
                IntStream.range(0, heads)
                        .mapToObj(head -> w.layerNorm(name + ".norms." + head, i, dim, false, eps))
                        .toList();
        };
    }

    private FeedForward feedForward(Weights w, String mlp, int i) {
        int h = config.size.hidden();
        int inner = config.mlp.intermediate;
        boolean bias = config.mlp.bias;
        Linear up = w.linear(mlp + config.names.up, Role.UP, i, inner, h, bias);
        Linear down = w.linear(mlp + config.names.down, Role.DOWN, i, h, inner, bias);
        return config.mlp.gated
                ? new FeedForward.Gated(
                        List.of(w.linear(mlp + "gate_proj", Role.GATE, i, inner, h, bias), up),
                        down,
                        config.mlp.activation)
                : new FeedForward.Plain(up, down, config.mlp.activation);
    }

    private Norm norm(Weights w, String name, int layer) {
        return w.layerNorm(name, layer, config.size.hidden(), true, config.norms.eps);
    }

    Embedding tokens() {
        return tokens;
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
        // Rounded biases depend on where a text begins.
        return config.alibi == null;
    }

    @Override
    public boolean interleavesHeads() {
        Fused fused = config.heads.fused;
        return fused != null && fused.layout.groups() > 1;
    }

    @Override
    public HiddenStates forward(Inputs in, ForwardPass pass) {
        ScalarType small = norm.weight().scalar_type();
        ScalarType base = layers.get(0).output.type();
        Tensor[] start = pass.segment(() -> {
            InputEmbeddings embeddings = InputEmbeddings.of(tokens, in, small, pass);
            return new Tensor[] {embeddings.rows(), embeddings.positions()};
        });
        AttentionMask whole = AttentionMask.of(layers.get(0).attention, true, base, pass);
        AttentionMask mask = config.alibi == null ? whole : whole.biasedBy(config.alibi);
        Tensor shift = mask.positionShift();
        Rope.Angles angles = config.rope == null
                ? null
                : config.rope
                        .at(
                                shift == null ? start[1] : start[1].add(shift),
                                small,
                                pass.context().longestText())
                        .to(base);
        Tensor h = LayerOps.enterLayers(pass, stream, LayerOps.dropout(pass, start[0], config.dropouts.embeddings));
        List<Tensor> given = angles == null ? List.of() : List.of(angles.cos(), angles.sin());
        h = LayerOps.layers(
                pass, layers, h, List.of(mask), given, (layer, x) -> forward(layer, x, mask, angles, base, pass));
        h = pass.hooks().norm(norm, h, pass);
        pass.collect(h);
        mask.end(pass);
        return pass.result(h);
    }

    private Tensor forward(
            DecoderLayer layer,
            Tensor h,
            AttentionMask mask,
            Rope.@Nullable Angles angles,
            ScalarType base,
            ForwardPass pass) {
        Tensor x = LayerOps.norm(pass, layer.attentionNorm, h, base);
        Tensor attended = attend(layer, x, mask, angles, base, pass);
        Tensor middle = LayerOps.add(pass, layer.attentionBlock, h, layer.output, attended, config.dropouts.attention);

        Tensor read = layer.feedForwardNorm == null ? x : config.norms.parallel ? h : middle;
        Tensor down = layer.feedForward.apply(layer.feedForwardNorm, read, base, pass);
        Tensor result = LayerOps.add(
                pass, layer.feedForwardBlock, middle, LayerOps.dropout(pass, down, config.dropouts.feedForward));
        return LayerOps.leaveLayer(pass, layer.layer, result);
    }

    private Tensor attend(
            DecoderLayer layer,
            Tensor x,
            AttentionMask mask,
            Rope.@Nullable Angles angles,
            ScalarType base,
            ForwardPass pass) {
        Heads heads = config.heads;
        Tensor[] projected = LayerOps.linears(pass, x, layer.projections.toArray(Linear[]::new));
        Tensor[] qkv = heads.fused == null
                ? projected
                : heads.fused.layout.split(projected[0], config.size.heads(), heads.keyValues, pass);
        return ScaledDotProductAttention.attend(
                layer.attention,
                LayerOps.splitHeads(pass, normed(layer.queryNorms, qkv[0], base, pass), config.size.heads(), angles),
                LayerOps.splitHeads(pass, normed(layer.keyNorms, qkv[1], base, pass), heads.keyValues, angles),
                LayerOps.splitHeads(pass, qkv[2], heads.keyValues, null),
                mask,
                config.dropouts.weights,
                pass);
    }

    /** Normalises each head of queries or keys {@code [batch, seq, heads · headDim]}. */
    private Tensor normed(List<Norm> norms, Tensor x, ScalarType base, ForwardPass pass) {
        if (norms.isEmpty()) {
            return x;
        }
        if (norms.size() == 1) {
            return LayerOps.norm(pass, norms.get(0), x, base);
        }
        long[] sizes = new long[norms.size()];
        Arrays.fill(sizes, config.heads.dim);
        Tensor[] heads = LayerOps.split(pass, x, sizes);
        for (int head = 0; head < heads.length; head++) {
            heads[head] = LayerOps.norm(pass, norms.get(head), heads[head], base);
        }
        return pass.segment(() -> new Tensor[] {Ops.cat(-1, heads)})[0];
    }

    @Override
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>(List.of(tokens, stream));
        for (DecoderLayer l : layers) {
            sites.add(l.attentionNorm);
            if (l.feedForwardNorm != null) {
                sites.add(l.feedForwardNorm);
            }
            sites.addAll(l.projections);
            sites.addAll(l.queryNorms);
            sites.addAll(l.keyNorms);
            sites.addAll(List.of(l.attention, l.output, l.attentionBlock));
            sites.addAll(l.feedForward.sites());
            sites.addAll(List.of(l.feedForwardBlock, l.layer));
        }
        sites.add(norm);
        return sites;
    }

    @Override
    public int maxStablePositions() {
        return config.rope == null ? maxPositions() : Math.min(maxPositions(), config.rope.maxStablePositions());
    }

    @Override
    public boolean rotatesDifferently(long length, long other) {
        return config.rope != null && config.rope.rotatesDifferently(length, other);
    }

    @Override
    public Size size() {
        return config.size;
    }
}
