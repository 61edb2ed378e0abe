package dev.graft.models.arch;

import dev.graft.models.Backbone;
import dev.graft.models.attention.Alibi;
import dev.graft.models.attention.AttentionMask;
import dev.graft.models.attention.AttentionWindow;
import dev.graft.models.attention.ScaledDotProductAttention;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.functions.Activation;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.layers.InputEmbeddings;
import dev.graft.models.layers.LayerOps;
import dev.graft.models.layers.PostNorm;
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
import dev.graft.tensor.ops.Dropout;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The common decoder of GPT-2 (Radford et al., 2019) and its descendants. It has learned positions or ALiBi, layer
 * norms and a feed-forward block without a gate. The {@link Config} of a family describes its differences. With h the
 * residual stream {@code [batch, seq, hidden]}, a layer is
 *
 * <pre>{@code
 * h = h + output(attend(q, k, v))   with q, k, v of norm(h)
 * h = h + down(gelu(up(norm(h))))
 * }</pre>
 */
final class GptDecoder implements Backbone {
    private final Config config;
    private final Embedding tokens;
    private final @Nullable Embedding positions;
    private final @Nullable Norm embeddingNorm;
    private final @Nullable Linear projectIn;
    private final @Nullable Linear projectOut;
    private final Stream stream;
    private final List<DecoderLayer> layers = new ArrayList<>();
    private final @Nullable Norm norm;

    /**
     * The names of the modules in a family.
     *
     * @param root the prefix of all names
     * @param layer the prefix of the number of a layer
     * @param projections in a layer, the module that computes queries, keys and values together, or one module for each
     *     of them
     */
    @RecordBuilder
    record Names(
            String root,
            String tokens,
            String layer,
            String attentionNorm,
            String attention,
            List<String> projections,
            String output,
            String feedForwardNorm,
            String up,
            String down,
            String norm)
            implements GptDecoderNamesBuilder.With {
        static final Names GPT2 = new Names(
                "",
                "wte",
                "h.",
                "ln_1",
                "attn",
                List.of("attn.c_attn"),
                "attn.c_proj",
                "ln_2",
                "mlp.c_fc",
                "mlp.c_proj",
                "ln_f");
    }

    /**
     * The attention of the layers.
     *
     * @param keyValues the number of heads of keys and values
     * @param layout the layout of the output if one layer computes all
     * @param bias whether queries, keys and values have biases
     * @param outputBias whether the output projection has one
     * @param clip the largest absolute value of queries, keys and values; infinite for no limit
     * @param kinds one kind for each layer
     */
    record Heads(
            int keyValues,
            QkvLayout layout,
            boolean bias,
            boolean outputBias,
            double clip,
            double dropout,
            List<LayerKind> kinds) {
        /** Returns heads of any size that each have their own keys and values. */
        static Heads own(
                Size size, QkvLayout layout, boolean bias, boolean outputBias, double dropout, List<LayerKind> kinds) {
            return new Heads(size.heads(), layout, bias, outputBias, Double.POSITIVE_INFINITY, dropout, kinds);
        }
    }

    /**
     * The properties that differ between layers.
     *
     * @param scale the multiplier of the products of queries and keys
     * @param window the number of positions up to its own that a query sees; 0 for all
     */
    record LayerKind(double scale, int window) {
        /** Returns identical layers without windows. */
        static List<LayerKind> same(Size size, double scale) {
            return Collections.nCopies(size.layers(), new LayerKind(scale, 0));
        }

        /** Returns one divided by the square root of the size of a head. */
        static double usual(Size size) {
            return 1 / Math.sqrt((double) size.hidden() / size.heads());
        }
    }

    /** The feed-forward block. */
    record Mlp(int intermediate, boolean bias, Activation activation) {}

    /** The placement of the norms of a layer. */
    enum NormPlacement {
        /** Before its blocks. */
        BEFORE,
        /** Before its blocks, whose outputs are added to the normalised stream. */
        RESIDUAL,
        /** The residual stream behind its blocks. */
        BEHIND
    }

    /**
     * The norms.
     *
     * @param bias whether norms have biases
     * @param first whether the embeddings are normalised
     * @param last whether a norm follows the last layer
     */
    @RecordBuilder
    record Norms(NormPlacement placement, boolean bias, boolean first, boolean last, double eps)
            implements GptDecoderNormsBuilder.With {
        /** Returns norms before the blocks and behind the last layer. */
        static Norms before(double eps) {
            return new Norms(NormPlacement.BEFORE, true, false, true, eps);
        }
    }

    /**
     * A table of positions.
     *
     * @param offset the row of the first position
     * @param counted whether padding has no positions by default
     */
    record Positions(String name, int offset, boolean counted) {}

    /**
     * A family's shape.
     *
     * @param embedding the size of a token's embedding
     * @param padding as in {@link Embedding}
     * @param transposed whether checkpoints store matrices as {@code [in, out]}
     * @param positions null if there is ALiBi
     * @param alibi null if there is a table of positions
     * @param embeddingDropout the dropout of the embeddings
     * @param residualDropout the dropout of the outputs of blocks
     */
    record Config(
            Size size,
            Names names,
            int embedding,
            int padding,
            boolean transposed,
            @Nullable Positions positions,
            @Nullable Alibi alibi,
            Heads heads,
            Mlp mlp,
            Norms norms,
            double embeddingDropout,
            double residualDropout) {}

    private record DecoderLayer(
            LayerKind kind,
            Norm attentionNorm,
            Attention attention,
            List<Linear> projections,
            Linear output,
            Block attentionBlock,
            Norm feedForwardNorm,
            FeedForward.Plain feedForward,
            Block feedForwardBlock,
            Layer layer) {}

    /** A block's output for the residual stream, behind a norm unless that is null. */
    private interface Answer {
        Tensor of(@Nullable Norm norm, Tensor h);
    }

    GptDecoder(Config config, Weights w, String prefix) {
        this.config = config;
        Size size = config.size;
        Names names = config.names;
        String p = prefix + names.root;
        int h = size.hidden();
        tokens = w.tokenEmbedding(p + names.tokens, size.vocab(), config.embedding, config.padding);
        Positions table = config.positions;
        positions = table == null ? null : w.embedding(p + table.name, size.positions() + table.offset, h);
        embeddingNorm = config.norms.first ? norm(w, p + names.tokens + "_layernorm", -1) : null;
        boolean projects = config.embedding != h;
        projectOut = projects ? w.linear(p + "project_out", Role.PROJECTION, -1, config.embedding, h, false) : null;
        projectIn = projects ? w.linear(p + "project_in", Role.PROJECTION, -1, h, config.embedding, false) : null;
        stream = Stream.of(p, h);
        for (int i = 0; i < size.layers(); i++) {
            layers.add(layer(w, p + names.layer + i, i));
        }
        norm = config.norms.last ? norm(w, p + names.norm, -1) : null;
    }

    private Norm norm(Weights w, String name, int layer) {
        return w.layerNorm(name, layer, config.size.hidden(), config.norms.bias, config.norms.eps);
    }

    private DecoderLayer layer(Weights w, String name, int i) {
        int h = config.size.hidden();
        int dim = h / config.size.heads();
        String l = name + ".";
        Names names = config.names;
        Heads heads = config.heads;
        Mlp mlp = config.mlp;
        Norm attentionNorm = norm(w, l + names.attentionNorm, i);
        Norm feedForwardNorm = norm(w, l + names.feedForwardNorm, i);
        boolean behind = config.norms.placement == NormPlacement.BEHIND;
        LayerKind kind = heads.kinds.get(i);
        return new DecoderLayer(
                kind,
                attentionNorm,
                new Attention(l + names.attention, i, heads.keyValues, dim, kind.scale),
                projections(w, l, i),
                linear(w, l + names.output, Role.OUTPUT, i, h, h, heads.outputBias),
                new Block(l + "attention_adapters", i, Block.Kind.ATTENTION, h, behind ? attentionNorm : null),
                feedForwardNorm,
                new FeedForward.Plain(
                        linear(w, l + names.up, Role.UP, i, mlp.intermediate, h, mlp.bias),
                        linear(w, l + names.down, Role.DOWN, i, h, mlp.intermediate, mlp.bias),
                        mlp.activation),
                new Block(l + "output_adapters", i, Block.Kind.FEED_FORWARD, h, behind ? feedForwardNorm : null),
                new Layer(name, i, h));
    }

    private List<Linear> projections(Weights w, String l, int i) {
        int h = config.size.hidden();
        int keys = config.heads.keyValues * (h / config.size.heads());
        boolean bias = config.heads.bias;
        List<String> names = config.names.projections;
        return names.size() == 1
                ? List.of(linear(w, l + names.get(0), Role.QUERY_KEY_VALUE, i, h + 2L * keys, h, bias))
                : List.of(
                        linear(w, l + names.get(0), Role.QUERY, i, h, h, bias),
                        linear(w, l + names.get(1), Role.KEY, i, keys, h, bias),
                        linear(w, l + names.get(2), Role.VALUE, i, keys, h, bias));
    }

    private Linear linear(Weights w, String name, Role role, int i, long out, long in, boolean bias) {
        return config.transposed
                ? w.transposedLinear(name, role, i, out, in, bias)
                : w.linear(name, role, i, out, in, bias);
    }

    @Override
    public List<List<Linear>> siblings() {
        return layers.stream()
                .map(DecoderLayer::projections)
                .filter(each -> each.size() > 1)
                .toList();
    }

    @Override
    public boolean supportsPacking() {
        return true;
    }

    @Override
    public boolean sharesPrompts() {
        // Distances to what stands before all texts would be others.
        return config.alibi == null;
    }

    @Override
    public boolean interleavesHeads() {
        return config.heads.layout.groups() > 1;
    }

    private ScalarType small() {
        return layers.get(0).feedForwardNorm.weight().scalar_type();
    }

    private ScalarType base() {
        return layers.get(0).output.type();
    }

    @Override
    public HiddenStates forward(Inputs in, ForwardPass pass) {
        Tensor[] start = pass.segment(() -> {
            InputEmbeddings embeddings = InputEmbeddings.of(tokens, in, small(), pass);
            return new Tensor[] {embeddings.rows(), places(embeddings, in, pass)};
        });
        AttentionMask whole = AttentionMask.of(layers.get(0).attention, true, base(), pass);
        AttentionMask mask = config.alibi == null ? whole : whole.biasedBy(config.alibi);
        Map<Integer, AttentionMask> masks = new HashMap<>(Map.of(0, mask));
        config.heads.kinds.forEach(
                kind -> masks.computeIfAbsent(kind.window, window -> mask.within(AttentionWindow.window(window))));
        Tensor h = LayerOps.enterLayers(pass, stream, embedded(start[0], start[1], mask.positionShift(), pass));
        h = LayerOps.layers(
                pass,
                layers,
                h,
                masks.values(),
                List.of(),
                (layer, x) -> forward(layer, x, masks.getOrDefault(layer.kind.window, mask), pass));
        h = norm == null ? h : pass.hooks().norm(norm, h, pass);
        h = projectOut == null ? h : projected(projectOut, h, pass);
        pass.collect(h);
        mask.end(pass);
        return pass.result(h);
    }

    /** Returns the positions of tokens, {@code [batch or 1, seq]}: the rows of a table of positions. */
    private Tensor places(InputEmbeddings embeddings, Inputs in, ForwardPass pass) {
        Positions table = config.positions;
        if (table == null) {
            return embeddings.positions();
        }
        Tensor places =
                table.counted && in.positions() == null ? embeddings.unpaddedPositions(pass) : embeddings.positions();
        return table.offset == 0 ? places : places.add(new Scalar((long) table.offset));
    }

    /** Computes the input of the first layer from tokens' embeddings. */
    private Tensor embedded(Tensor rows, Tensor places, @Nullable Tensor shift, ForwardPass pass) {
        Tensor wide = projectIn == null ? rows : projected(projectIn, rows, pass);
        Tensor h = embeddingNorm == null ? wide : LayerOps.norm(pass, embeddingNorm, wide, small());
        Embedding table = positions;
        if (table == null) {
            return LayerOps.dropout(pass, h, config.embeddingDropout);
        }
        Tensor moved = (shift == null ? places : places.add(shift)).expand(rows.size(0), -1);
        return pass.segment(() -> {
            Tensor sum = h.add(Ops.to(pass.hooks().embedding(table, moved, pass), small()));
            return new Tensor[] {Dropout.apply(sum, config.embeddingDropout, pass.isTraining())};
        })[0];
    }

    private Tensor projected(Linear projection, Tensor x, ForwardPass pass) {
        return LayerOps.cast(pass, LayerOps.linear(pass, projection, LayerOps.cast(pass, x, base())), small());
    }

    private Tensor forward(DecoderLayer layer, Tensor h, AttentionMask mask, ForwardPass pass) {
        Tensor middle =
                add(layer.attentionBlock, layer.attentionNorm, h, (n, x) -> attended(layer, n, x, mask, pass), pass);
        Tensor result = add(
                layer.feedForwardBlock,
                layer.feedForwardNorm,
                middle,
                (n, x) -> layer.feedForward.apply(n, x, base(), pass),
                pass);
        return LayerOps.leaveLayer(pass, layer.layer, result);
    }

    /** Adds a block's output to the residual stream. */
    private Tensor add(Block site, Norm norm, Tensor h, Answer answer, ForwardPass pass) {
        double dropout = config.residualDropout;
        return switch (config.norms.placement) {
            case BEFORE -> LayerOps.add(pass, site, h, LayerOps.dropout(pass, answer.of(norm, h), dropout));
            case RESIDUAL -> {
                Tensor normed = LayerOps.norm(pass, norm, h, small());
                yield LayerOps.add(pass, site, normed, LayerOps.dropout(pass, answer.of(null, normed), dropout));
            }
            case BEHIND -> PostNorm.add(site, norm, h, answer.of(null, h), dropout, pass);
        };
    }

    private Tensor attended(DecoderLayer layer, @Nullable Norm norm, Tensor h, AttentionMask mask, ForwardPass pass) {
        Heads heads = config.heads;
        int queries = config.size.heads();
        Tensor[] projected =
                clipped(LayerOps.linears(pass, norm, h, base(), layer.projections.toArray(Linear[]::new)), pass);
        Tensor[] qkv =
                projected.length == 1 ? heads.layout.split(projected[0], queries, heads.keyValues, pass) : projected;
        Tensor q = LayerOps.splitHeads(pass, qkv[0], queries, null);
        Tensor k = LayerOps.splitHeads(pass, qkv[1], heads.keyValues, null);
        Tensor v = LayerOps.splitHeads(pass, qkv[2], heads.keyValues, null);
        return LayerOps.linear(
                pass,
                layer.output,
                ScaledDotProductAttention.attend(layer.attention, q, k, v, mask, heads.dropout, pass));
    }

    private Tensor[] clipped(Tensor[] projected, ForwardPass pass) {
        double most = config.heads.clip;
        return Double.isInfinite(most)
                ? projected
                : pass.segment(() -> Arrays.stream(projected)
                        .map(each ->
                                each.clamp(new ScalarOptional(new Scalar(-most)), new ScalarOptional(new Scalar(most))))
                        .toArray(Tensor[]::new));
    }

    Embedding tokens() {
        return tokens;
    }

    @Override
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>(List.of(tokens));
        if (positions != null) {
            sites.add(positions);
        }
        if (embeddingNorm != null) {
            sites.add(embeddingNorm);
        }
        if (projectOut != null && projectIn != null) {
            sites.addAll(List.of(projectOut, projectIn));
        }
        sites.add(stream);
        for (DecoderLayer l : layers) {
            sites.add(l.attentionNorm);
            List<Linear> p = l.projections;
            sites.addAll(p.size() == 1 ? p : List.of(p.get(1), p.get(2), p.get(0)));
            sites.addAll(List.of(
                    l.attention,
                    l.output,
                    l.attentionBlock,
                    l.feedForwardNorm,
                    l.feedForward.up(),
                    l.feedForward.down(),
                    l.feedForwardBlock,
                    l.layer));
        }
        if (norm != null) {
            sites.add(norm);
        }
        return sites;
    }

    @Override
    public Size size() {
        return config.size;
    }

    @Override
    public int outputSize() {
        return config.embedding;
    }
}
