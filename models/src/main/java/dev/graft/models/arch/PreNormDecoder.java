package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Activation;
import dev.graft.models.Alibi;
import dev.graft.models.Attend;
import dev.graft.models.AttentionMask;
import dev.graft.models.Backbone;
import dev.graft.models.Embedded;
import dev.graft.models.Hidden;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.Rope;
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
import dev.graft.tensor.Ops;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * What GPT-J (Wang and Komatsuzaki, 2021), GPT-NeoX (Black et al., 2022) and their descendants have in common: a decoder with layer
 * normalisation before its blocks and rotary positions, often of the first part of each head alone, or ALiBi, whose blocks may read the same stream. A
 * family says by its {@link Config} how it differs. With h the residual stream {@code [batch, seq, hidden]} a layer is
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
     * What a family calls its modules.
     *
     * @param layers the list of layers
     * @param output the output projection of {@code attention}
     * @param up the first layer of {@code mlp}; beside a gate it is {@code up_proj}
     * @param down the last layer of {@code mlp}
     * @param norm the norm behind the last layer
     */
    record Names(String tokens, String layers, String attention, String output, String up, String down, String norm) {}

    /** How queries and keys are normalised before they are turned. */
    enum HeadNorm {
        NONE,
        /** Each head by the same norm. */
        EACH,
        /** Each head by a norm of its own. */
        OWN
    }

    /** One layer that gives queries, keys and values. */
    record Fused(String name, QueryKeyValue layout) {}

    /**
     * How a layer attends.
     *
     * @param fused the layer that gives queries, keys and values, or null for {@code q_proj}, {@code k_proj} and {@code v_proj}
     * @param bias whether the queries, keys and values have biases
     * @param outputBias whether the output has one
     */
    record Heads(int keyValues, int dim, @Nullable Fused fused, boolean bias, boolean outputBias, HeadNorm norm) {}

    /** The feed-forward block: its inner size, whether it has a gate, and biases. */
    record Mlp(int intermediate, boolean gated, boolean bias, Activation activation) {}

    /**
     * The norms before the blocks.
     *
     * @param feedForward the name of the feed-forward block's, or null where both blocks read what the attention's gives
     * @param parallel whether the feed-forward block's own norm reads the layer's input
     */
    record Norms(String attention, @Nullable String feedForward, boolean parallel, double eps) {}

    /** What is dropped in training: of the embeddings, of attention's weights, and of what each block adds. */
    record Dropouts(double embeddings, double weights, double attention, double feedForward) {}

    /**
     * A family's shape.
     *
     * @param padding as in {@link Embedding}
     * @param rope null where there is ALiBi
     * @param alibi null where positions are rotary
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
        /** With rotary positions. */
        Config(Size size, Names names, Heads heads, Mlp mlp, Norms norms, Dropouts dropouts, int padding, Rope rope) {
            this(size, names, heads, mlp, norms, dropouts, padding, rope, null);
        }
    }

    /**
     * The sizes, with what a family takes for the number of positions where config.json says nothing. A number of heads that doesn't divide
     * {@code hidden_size} is refused.
     */
    static Size size(Fields f, int absentPositions) {
        Size size = Decoder.size(f, absentPositions);
        if (size.hidden() % size.heads() != 0) {
            throw f.wrong("num_attention_heads", "a divisor of hidden_size " + size.hidden());
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
        tokens = w.tokens(prefix + config.names.tokens, size.vocab(), size.hidden(), config.padding);
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
    public boolean packs() {
        // Rounded biases depend on where a text begins.
        return config.alibi == null;
    }

    @Override
    public boolean fusesByHead() {
        Fused fused = config.heads.fused;
        return fused != null && fused.layout.groups() > 1;
    }

    @Override
    public Hidden hidden(Inputs in, Pass pass) {
        ScalarType small = norm.weight().scalar_type();
        ScalarType base = layers.get(0).output.type();
        Tensor[] start = pass.piece(() -> {
            Embedded embedded = Embedded.of(tokens, in, small, pass);
            return new Tensor[] {embedded.rows(), embedded.positions()};
        });
        AttentionMask whole = AttentionMask.of(layers.get(0).attention, true, base, pass);
        AttentionMask mask = config.alibi == null ? whole : whole.with(config.alibi);
        Tensor shift = mask.shift();
        Rope.Angles angles = config.rope == null
                ? null
                : config.rope
                        .at(
                                shift == null ? start[1] : start[1].add(shift),
                                small,
                                pass.context().cache())
                        .to(base);
        Tensor h = pass.enter(stream, pass.dropout(start[0], config.dropouts.embeddings));
        List<Tensor> given = angles == null ? List.of() : List.of(angles.cos(), angles.sin());
        h = pass.layers(layers, h, List.of(mask), given, (layer, x) -> forward(layer, x, mask, angles, base, pass));
        h = pass.hooks().norm(norm, h, pass);
        pass.collect(h);
        pass.end(mask);
        return pass.result(h);
    }

    private Tensor forward(
            DecoderLayer layer,
            Tensor h,
            AttentionMask mask,
            Rope.@Nullable Angles angles,
            ScalarType base,
            Pass pass) {
        Tensor x = pass.norm(layer.attentionNorm, h, base);
        Tensor attended = attend(layer, x, mask, angles, base, pass);
        Tensor middle = pass.add(layer.attentionBlock, h, layer.output, attended, config.dropouts.attention);

        Tensor read = layer.feedForwardNorm == null ? x : config.norms.parallel ? h : middle;
        Tensor down = layer.feedForward.apply(layer.feedForwardNorm, read, base, pass);
        Tensor result = pass.add(layer.feedForwardBlock, middle, pass.dropout(down, config.dropouts.feedForward));
        return pass.leave(layer.layer, result);
    }

    private Tensor attend(
            DecoderLayer layer,
            Tensor x,
            AttentionMask mask,
            Rope.@Nullable Angles angles,
            ScalarType base,
            Pass pass) {
        Heads heads = config.heads;
        Tensor[] projected = pass.linears(x, layer.projections.toArray(Linear[]::new));
        Tensor[] qkv = heads.fused == null
                ? projected
                : heads.fused.layout.split(projected[0], config.size.heads(), heads.keyValues, pass);
        return Attend.attend(
                layer.attention,
                pass.heads(normed(layer.queryNorms, qkv[0], base, pass), config.size.heads(), angles),
                pass.heads(normed(layer.keyNorms, qkv[1], base, pass), heads.keyValues, angles),
                pass.heads(qkv[2], heads.keyValues, null),
                mask,
                config.dropouts.weights,
                pass);
    }

    /** Queries or keys {@code [batch, seq, heads · headDim]}, each head normalised. */
    private Tensor normed(List<Norm> norms, Tensor x, ScalarType base, Pass pass) {
        if (norms.isEmpty()) {
            return x;
        }
        if (norms.size() == 1) {
            return pass.norm(norms.get(0), x, base);
        }
        long[] sizes = new long[norms.size()];
        Arrays.fill(sizes, config.heads.dim);
        Tensor[] heads = pass.split(x, sizes);
        for (int head = 0; head < heads.length; head++) {
            heads[head] = pass.norm(norms.get(head), heads[head], base);
        }
        return pass.piece(() -> new Tensor[] {Ops.cat(-1, heads)})[0];
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
    public int steadyPositions() {
        return config.rope == null ? maxPositions() : Math.min(maxPositions(), config.rope.steadyPositions());
    }

    @Override
    public boolean turnsAnew(long length, long other) {
        return config.rope != null && config.rope.turnsAnew(length, other);
    }

    @Override
    public Size size() {
        return config.size;
    }
}
