package dev.graft.models.arch;

import dev.graft.formats.InputException;
import dev.graft.models.Backbone;
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
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * DeBERTa (He et al., 2021) and its versions 2 and 3: BERT whose attention separates content and position. P are the
 * embeddings of relative positions, K_r = W_k P, Q_r = W_q P, and δ(i, j) is the bucket of i - j. The score of query i
 * for key j is
 *
 * <pre>{@code
 * (q_i · k_j + q_i · K_r[δ(i, j)] + k_j · Q_r[δ(j, i)]) / √(3 d)
 * }</pre>
 *
 * <p>In the first version one layer computes queries, keys and values, head by head, and keys have no bias. V2 may add
 * a convolution over the embeddings to the first layer's output. A prefix before the keys is not possible.
 */
final class Deberta implements Backbone {
    private static final double HIDDEN = -1e30;

    private final Config config;
    private final Embedding words;
    private final @Nullable Embedding positions;
    private final @Nullable Embedding types;
    private final Norm norm;
    private final Stream stream;
    private final Embedding distances;
    private final @Nullable Norm distanceNorm;
    private final List<EncoderLayer> layers = new ArrayList<>();
    private final @Nullable Convolution convolution;

    /**
     * Its shape.
     *
     * @param absolute whether embeddings also have positions
     * @param fused whether one layer computes queries, keys and values
     * @param farthest the largest distance that is distinguished from others
     * @param toPosition whether queries attend to positions of keys
     * @param fromPosition whether keys attend to positions of queries
     */
    record Config(
            Size size,
            int intermediate,
            int padding,
            int types,
            boolean absolute,
            boolean fused,
            int farthest,
            boolean toPosition,
            boolean fromPosition,
            Later later,
            Activation activation,
            double eps,
            double dropout,
            double attentionDropout) {
        int headDim() {
            return size.hidden() / size.heads();
        }

        /** Returns the number of buckets for each direction. */
        int span() {
            return later.buckets > 0 ? later.buckets : farthest;
        }
    }

    /**
     * The features of later versions.
     *
     * @param buckets the number of buckets for each direction, growing with the distance; 0 if every distance has its
     *     own
     * @param shared whether positions use the matrices of content
     * @param kernel the size of the convolution, or 0 for none
     */
    record Later(int buckets, boolean shared, boolean distanceNorm, int kernel, Activation convolved) {
        static final Later NONE = new Later(0, false, false, 0, Activation.TANH);
    }

    private record EncoderLayer(
            Attention attention,
            List<Linear> content,
            @Nullable Tensor queryBias,
            @Nullable Tensor valueBias,
            @Nullable Linear positionKey,
            @Nullable Linear positionQuery,
            Linear output,
            Block attentionBlock,
            Norm attentionNorm,
            Linear up,
            Linear down,
            Block feedForwardBlock,
            Norm feedForwardNorm,
            Layer layer) {}

    private record Convolution(Tensor weight, Tensor bias, Norm norm) {}

    Deberta(Config config, Weights w, String prefix) {
        this.config = config;
        Size size = config.size;
        int h = size.hidden();
        String e = prefix + "embeddings.";
        words = w.tokenEmbedding(e + "word_embeddings", size.vocab(), h, config.padding);
        positions = config.absolute ? w.embedding(e + "position_embeddings", size.positions(), h) : null;
        types = config.types == 0 ? null : w.embedding(e + "token_type_embeddings", config.types, h);
        norm = w.layerNorm(e + "LayerNorm", -1, h, true, config.eps);
        stream = Stream.of(prefix, h);
        distances = w.embedding(prefix + "encoder.rel_embeddings", 2L * config.span(), h);
        String n = prefix + "encoder.LayerNorm";
        distanceNorm = config.later.distanceNorm ? w.layerNorm(n, -1, h, true, config.eps) : null;
        for (int i = 0; i < size.layers(); i++) {
            layers.add(layer(w, prefix + "encoder.layer." + i, i));
        }
        String c = prefix + "encoder.conv.";
        convolution = config.later.kernel == 0
                ? null
                : new Convolution(
                        w.get(c + "conv.weight", w.numerics().small(), h, h, config.later.kernel),
                        w.vector(c + "conv.bias", h),
                        w.layerNorm(c + "LayerNorm", -1, h, true, config.eps));
    }

    private EncoderLayer layer(Weights w, String name, int i) {
        int h = config.size.hidden();
        String l = name + ".";
        String a = l + "attention.self.";
        Norm attentionNorm = w.layerNorm(l + "attention.output.LayerNorm", i, h, true, config.eps);
        Norm feedForwardNorm = w.layerNorm(l + "output.LayerNorm", i, h, true, config.eps);
        boolean fused = config.fused;
        boolean ownKey = config.toPosition && !config.later.shared;
        boolean ownQuery = config.fromPosition && !config.later.shared;
        return new EncoderLayer(
                new Attention(l + "attention.self", i, config.size.heads(), config.headDim()),
                fused
                        ? List.of(w.linear(a + "in_proj", Role.QUERY_KEY_VALUE, i, 3L * h, h, false))
                        : List.of(
                                w.linear(a + "query_proj", Role.QUERY, i, h, h, true),
                                w.linear(a + "key_proj", Role.KEY, i, h, h, true),
                                w.linear(a + "value_proj", Role.VALUE, i, h, h, true)),
                fused ? w.bias(a + "q_bias", h) : null,
                fused ? w.bias(a + "v_bias", h) : null,
                ownKey ? w.linear(a + (fused ? "pos_proj" : "pos_key_proj"), Role.PROJECTION, i, h, h, !fused) : null,
                ownQuery
                        ? w.linear(a + (fused ? "pos_q_proj" : "pos_query_proj"), Role.PROJECTION, i, h, h, true)
                        : null,
                w.linear(l + "attention.output.dense", Role.OUTPUT, i, h, h, true),
                new Block(l + "attention.output", i, Block.Kind.ATTENTION, h, attentionNorm),
                attentionNorm,
                w.linear(l + "intermediate.dense", Role.UP, i, config.intermediate, h, true),
                w.linear(l + "output.dense", Role.DOWN, i, h, config.intermediate, true),
                new Block(l + "output", i, Block.Kind.FEED_FORWARD, h, feedForwardNorm),
                feedForwardNorm,
                new Layer(name, i, h));
    }

    @Override
    public HiddenStates forward(Inputs in, ForwardPass pass) {
        ScalarType type = norm.weight().scalar_type();
        Tensor embedded =
                LayerOps.enterLayers(pass, stream, pass.segment(() -> new Tensor[] {embed(in, type, pass)})[0]);
        Attention first = layers.get(0).attention;
        if (pass.hooks().prefix(first, in.rows(), pass) != null) {
            throw new InputException("DeBERTa's attention has no place for a prefix; use prompt tuning or LoRA");
        }
        Tensor hidden = hidden(pass.context().mask());
        Tensor buckets = buckets(embedded.size(1));
        Tensor relative = pass.segment(() -> {
            Tensor table = distances.weight();
            Tensor rows = Ops.to(
                    pass.hooks()
                            .embedding(distances, Tensors.arange(table.size(0)).unsqueeze(0), pass),
                    type);
            return new Tensor[] {distanceNorm == null ? rows : pass.hooks().norm(distanceNorm, rows, pass)};
        })[0];
        Tensor h = embedded;
        pass.collect(h);
        for (EncoderLayer layer : layers) {
            Tensor input = h;
            h = pass.layer(() -> forward(layer, input, relative, buckets, hidden, pass));
            Convolution extra = layer == layers.get(0) ? convolution : null;
            if (extra != null) {
                Tensor output = h;
                h = pass.segment(() -> new Tensor[] {convolved(extra, embedded, output, pass)})[0];
            }
            pass.collect(h);
        }
        return pass.result(h);
    }

    /**
     * Returns the pairs of positions of which one is padding, {@code [batch, 1, width, width]}; null for none. Padding
     * attends to all positions equally.
     */
    private static @Nullable Tensor hidden(Tensor mask) {
        Tensor padding = mask.eq(new Scalar(0L));
        return padding.any().item_bool()
                ? padding.unsqueeze(1).logical_or(padding.unsqueeze(2)).unsqueeze(1)
                : null;
    }

    private Tensor embed(Inputs in, ScalarType type, ForwardPass pass) {
        InputEmbeddings embeddings = InputEmbeddings.of(words, in, type, pass);
        Tensor sum = embeddings.rows();
        if (positions != null) {
            Tensor places = embeddings.positions().expand(in.rows(), -1);
            sum = sum.add(Ops.to(pass.hooks().embedding(positions, places, pass), type));
        }
        if (types != null) {
            Tensor typeIds = embeddings.typeIds();
            Tensor segments = typeIds == null ? Tensors.zeros(ScalarType.Long, in.rows(), sum.size(1)) : typeIds;
            sum = sum.add(Ops.to(pass.hooks().embedding(types, segments, pass), type));
        }
        Tensor seen = Ops.to(pass.context().mask().unsqueeze(-1), type);
        return Dropout.apply(pass.hooks().norm(norm, sum, pass).mul(seen), config.dropout, pass.isTraining());
    }

    /** Returns δ(i, j) as rows of the table of distances, {@code [width, width]}. */
    private Tensor buckets(long width) {
        int n = Math.toIntExact(width);
        long[] rows = new long[n * n];
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                int row = bucket(i - j) + config.span();
                rows[i * n + j] = Math.max(0, Math.min(2 * config.span() - 1, row));
            }
        }
        return Tensors.of(rows, width, width);
    }

    /**
     * Returns the bucket of a distance. Distances up to half of the buckets stay unchanged. Larger ones use their
     * logarithm, in fp32 like the reference.
     */
    private int bucket(int distance) {
        int half = config.span() / 2;
        int away = Math.abs(distance);
        if (config.later.buckets == 0 || away <= half) {
            return distance;
        }
        float part = (float) Math.log((float) away / half)
                / (float) Math.log((float) (config.farthest - 1) / half)
                * (half - 1);
        return Integer.signum(distance) * ((int) Math.ceil(part) + half);
    }

    private Tensor forward(
            EncoderLayer layer, Tensor h, Tensor relative, Tensor buckets, @Nullable Tensor hidden, ForwardPass pass) {
        ScalarType base = layer.output.type();
        Tensor[] qkv = content(layer, LayerOps.cast(pass, h, base), pass);
        Tensor attended = pass.segment(
                        () -> new Tensor[] {attend(layer, qkv[0], qkv[1], qkv[2], relative, buckets, hidden, pass)})[0];
        Tensor out = LayerOps.linear(pass, layer.output, attended);
        Tensor middle = PostNorm.add(layer.attentionBlock, layer.attentionNorm, h, out, config.dropout, pass);

        Tensor y = LayerOps.cast(pass, middle, base);
        Tensor down = LayerOps.linear(
                pass, layer.down, LayerOps.activate(pass, config.activation, LayerOps.linear(pass, layer.up, y)));
        return LayerOps.leaveLayer(
                pass,
                layer.layer,
                PostNorm.add(layer.feedForwardBlock, layer.feedForwardNorm, middle, down, config.dropout, pass));
    }

    /** Returns queries, keys and values, {@code [batch, heads, seq, headDim]}. */
    private Tensor[] content(EncoderLayer layer, Tensor x, ForwardPass pass) {
        Tensor queryBias = layer.queryBias;
        Tensor valueBias = layer.valueBias;
        if (queryBias == null || valueBias == null) {
            return layer.content.stream()
                    .map(site -> LayerOps.splitHeads(pass, LayerOps.linear(pass, site, x), config.size.heads(), null))
                    .toArray(Tensor[]::new);
        }
        Tensor mixed = LayerOps.linear(pass, layer.content.get(0), x);
        long[] each = {config.size.heads(), config.headDim()};
        return pass.segment(() -> {
            Tensor split = mixed.view(mixed.size(0), mixed.size(1), each[0], 3, each[1]);
            Tensor q = split.select(3, 0).add(queryBias.view(each));
            Tensor v = split.select(3, 2).add(valueBias.view(each));
            return new Tensor[] {q.transpose(1, 2), split.select(3, 1).transpose(1, 2), v.transpose(1, 2)};
        });
    }

    private Tensor attend(
            EncoderLayer layer,
            Tensor q,
            Tensor k,
            Tensor v,
            Tensor relative,
            Tensor buckets,
            @Nullable Tensor hidden,
            ForwardPass pass) {
        int terms = 1 + (config.toPosition ? 1 : 0) + (config.fromPosition ? 1 : 0);
        long[] square = {q.size(0), q.size(1), q.size(2), q.size(2)};
        Tensor places = Dropout.apply(relative, config.dropout, pass.isTraining());
        Tensor scores = q.matmul(k.transpose(2, 3));
        if (config.toPosition) {
            Tensor keys = placed(layer.positionKey == null ? layer.content.get(1) : layer.positionKey, places, q, pass);
            scores = scores.add(q.matmul(keys.transpose(2, 3)).gather(3, buckets.expand(square)));
        }
        if (config.fromPosition) {
            Tensor queries =
                    placed(layer.positionQuery == null ? layer.content.get(0) : layer.positionQuery, places, q, pass);
            Tensor met = k.matmul(queries.transpose(2, 3)).gather(3, buckets.t().expand(square));
            scores = scores.add(met.transpose(2, 3));
        }
        Tensor scaled = Ops.to(
                Ops.scale(scores, 1 / Math.sqrt((double) config.headDim() * terms)),
                norm.weight().scalar_type());
        Tensor weights = (hidden == null ? scaled : scaled.masked_fill(hidden, new Scalar(HIDDEN))).softmax(-1);
        Tensor dropped = Dropout.apply(weights, config.attentionDropout, pass.isTraining());
        return Ops.to(dropped, v.scalar_type()).matmul(v).transpose(1, 2).flatten(2, 3);
    }

    /**
     * Projects positions by a layer, {@code [batch or 1, heads, 2 · span, headDim]}; for each row of the batch if the
     * layer is adapted.
     */
    private Tensor placed(Linear site, Tensor places, Tensor q, ForwardPass pass) {
        boolean frozen = pass.hooks().isFrozen(site);
        Tensor rows = frozen ? places : places.expand(q.size(0), -1, -1);
        Tensor y = pass.hooks().linear(site, Ops.to(rows, q.scalar_type()), pass);
        return y.view(y.size(0), y.size(1), config.size.heads(), config.headDim())
                .transpose(1, 2);
    }

    private Tensor convolved(Convolution c, Tensor embedded, Tensor output, ForwardPass pass) {
        Tensor seen = Ops.to(pass.context().mask().unsqueeze(-1), embedded.scalar_type());
        Tensor y = torch.conv1d(
                        embedded.transpose(1, 2),
                        c.weight,
                        new TensorOptional(c.bias),
                        new long[] {1},
                        new long[] {(config.later.kernel - 1) / 2},
                        new long[] {1},
                        1)
                .transpose(1, 2);
        Tensor dropped = Dropout.apply(y.mul(seen), config.dropout, pass.isTraining());
        return pass.hooks()
                .norm(c.norm, output.add(config.later.convolved.apply(dropped)), pass)
                .mul(seen);
    }

    @Override
    public boolean interleavesHeads() {
        return config.fused;
    }

    @Override
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>();
        add(sites, words, positions, types, norm, stream);
        for (EncoderLayer l : layers) {
            sites.addAll(l.content);
            add(sites, l.positionKey, l.positionQuery, l.attention, l.output, l.attentionNorm);
            add(sites, l.attentionBlock, l.up, l.down, l.feedForwardNorm, l.feedForwardBlock, l.layer);
        }
        add(sites, distances, distanceNorm, convolution == null ? null : convolution.norm);
        return sites;
    }

    private static void add(List<Site> sites, @Nullable Site... more) {
        for (Site site : more) {
            if (site != null) {
                sites.add(site);
            }
        }
    }

    @Override
    public boolean isBatchInvariant() {
        return false;
    }

    Embedding words() {
        return words;
    }

    Config config() {
        return config;
    }

    @Override
    public Size size() {
        return config.size;
    }
}
