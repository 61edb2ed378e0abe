package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.models.Backbone;
import dev.graft.models.attention.AttentionMask;
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
import dev.graft.models.sites.Hooks;
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
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The common encoder of BERT (Devlin et al., 2019) and its descendants, with learned positions and norms behind each
 * addition. With h the residual stream {@code [batch, seq, hidden]}, a layer is
 *
 * <pre>{@code
 * h = LN(h + output(attend(query(h), key(h), value(h))))
 * h = LN(h + down(gelu(up(h))))
 * }</pre>
 */
final class BertEncoder implements Backbone {
    private final Config config;
    private final Embedding words;
    private final Embedding positions;
    private final @Nullable Embedding types;
    private final List<Embedding> boxes;
    private final Norm norm;
    private final @Nullable Linear projection;
    private final Stream stream;
    private final List<EncoderLayer> layers = new ArrayList<>();
    private final @Nullable Linear pooler;
    private final @Nullable BucketedPositionBias positionBias;

    /** The names of the modules of a layer in a family; those of BERT are {@link #BERT}. */
    record Names(
            String layer,
            String attention,
            String query,
            String key,
            String value,
            String output,
            String attentionNorm,
            String up,
            String down,
            String norm,
            String attentionBlock,
            String feedForwardBlock) {
        static final Names BERT = new Names(
                "encoder.layer.",
                "attention.self",
                "attention.self.query",
                "attention.self.key",
                "attention.self.value",
                "attention.output.dense",
                "attention.output.LayerNorm",
                "intermediate.dense",
                "output.dense",
                "output.LayerNorm",
                "attention.output",
                "output");
    }

    /**
     * A family's shape.
     *
     * @param embedding the size of embeddings, which are projected to the hidden size if it differs
     * @param types the number of segments, or 0 for none
     * @param padding as in {@link Embedding}
     * @param offset the first row of the table of positions that a text uses. If it is more than 0, padding has a row
     *     of its own, and padding on the left does not advance positions.
     * @param attentionOutputDropout the dropout of the output of attention
     * @param dropout the dropout of the embeddings and of the output of the feed-forward block
     * @param distances whether scores depend on {@link BucketedPositionBias}
     * @param coordinates the number of coordinates along a side of a page, or 0 if tokens have no boxes
     */
    @RecordBuilder
    record Config(
            Size size,
            int intermediate,
            int embedding,
            int types,
            int padding,
            int offset,
            Activation activation,
            double eps,
            double attentionDropout,
            double attentionOutputDropout,
            double dropout,
            Names names,
            boolean distances,
            int coordinates)
            implements BertEncoderConfigBuilder.With {
        /** Reads the common fields of BERT and its descendants, with BERT's defaults. */
        static Config read(Fields f, int types, int absentPadding, boolean countsTokens) {
            f.choice("position_embedding_type", "absolute", "absolute");
            if (f.bool("is_decoder", false) || f.bool("add_cross_attention", false)) {
                throw new FormatException(f.source(), "is_decoder is true: only encoders are supported", null);
            }
            int padding = Embedding.padding(f, absentPadding);
            if (countsTokens && padding < 0) {
                throw f.invalid("pad_token_id", "the id of a token: positions are counted from it");
            }
            int offset = countsTokens ? padding + 1 : 0;
            double dropout = f.number("hidden_dropout_prob", 0.1, 0, 1);
            Size size = new Size(
                    f.integer("vocab_size"),
                    f.integer("hidden_size"),
                    f.integer("num_hidden_layers"),
                    heads(f, "num_attention_heads", "hidden_size"),
                    f.integer("max_position_embeddings") - offset);
            return new Config(
                    size,
                    f.integer("intermediate_size"),
                    size.hidden(),
                    types,
                    padding,
                    offset,
                    Activation.read(f, "hidden_act", "gelu"),
                    f.number("layer_norm_eps", 1e-12, 0, 1),
                    f.number("attention_probs_dropout_prob", 0.1, 0, 1),
                    dropout,
                    dropout,
                    Names.BERT,
                    false,
                    0);
        }
    }

    /** Returns the number of heads, which must divide the hidden size. */
    static int heads(Fields f, String field, String hiddenField) {
        int hidden = f.integer(hiddenField);
        int heads = f.integer(field);
        if (heads < 1 || hidden % heads != 0) {
            throw f.invalid(field, "a divisor of " + hiddenField + " " + hidden);
        }
        return heads;
    }

    private record EncoderLayer(
            Attention attention,
            Linear query,
            Linear key,
            Linear value,
            Linear output,
            Block attentionBlock,
            Norm attentionNorm,
            Linear up,
            Linear down,
            Block feedForwardBlock,
            Norm feedForwardNorm,
            Layer layer) {
        List<Site> sites() {
            return List.of(
                    query,
                    key,
                    value,
                    attention,
                    output,
                    attentionNorm,
                    attentionBlock,
                    up,
                    down,
                    feedForwardNorm,
                    feedForwardBlock,
                    layer);
        }
    }

    /** @param withPooler whether it has the optional pooler of its checkpoint */
    BertEncoder(Config config, Weights w, String prefix, boolean withPooler) {
        this.config = config;
        Size size = config.size;
        int h = size.hidden();
        String e = prefix + "embeddings.";
        words = w.tokenEmbedding(e + "word_embeddings", size.vocab(), config.embedding, config.padding);
        int padded = config.offset - 1;
        int rows = size.positions() + config.offset;
        String p = e + "position_embeddings";
        positions = new Embedding(p, w.matrix(p + ".weight", rows, config.embedding), false, padded);
        types = config.types == 0 ? null : w.embedding(e + "token_type_embeddings", config.types, config.embedding);
        List<String> sides = config.coordinates == 0 ? List.of() : List.of("x", "y", "h", "w");
        boxes = sides.stream()
                .map(side -> w.embedding(e + side + "_position_embeddings", config.coordinates, config.embedding))
                .toList();
        norm = w.layerNorm(e + "LayerNorm", -1, config.embedding, true, config.eps);
        projection = config.embedding == h
                ? null
                : w.linear(prefix + "embeddings_project", Role.PROJECTION, -1, h, config.embedding, true);
        stream = Stream.of(prefix, h);
        for (int i = 0; i < size.layers(); i++) {
            layers.add(layer(w, prefix + config.names.layer + i, i));
        }
        String bias = prefix + "encoder.relative_attention_bias.weight";
        positionBias = config.distances ? new BucketedPositionBias(w.matrix(bias, 32, size.heads())) : null;
        String dense = prefix + "pooler.dense";
        pooler = withPooler && w.has(dense + ".weight") ? w.linear(dense, Role.POOLER, -1, h, h, true) : null;
    }

    private EncoderLayer layer(Weights w, String name, int i) {
        int h = config.size.hidden();
        int heads = config.size.heads();
        Names names = config.names;
        String l = name + ".";
        Norm attentionNorm = w.layerNorm(l + names.attentionNorm, i, h, true, config.eps);
        Norm feedForwardNorm = w.layerNorm(l + names.norm, i, h, true, config.eps);
        return new EncoderLayer(
                new Attention(l + names.attention, i, heads, h / heads),
                w.linear(l + names.query, Role.QUERY, i, h, h, true),
                w.linear(l + names.key, Role.KEY, i, h, h, true),
                w.linear(l + names.value, Role.VALUE, i, h, h, true),
                w.linear(l + names.output, Role.OUTPUT, i, h, h, true),
                new Block(l + names.attentionBlock, i, Block.Kind.ATTENTION, h, attentionNorm),
                attentionNorm,
                w.linear(l + names.up, Role.UP, i, config.intermediate, h, true),
                w.linear(l + names.down, Role.DOWN, i, h, config.intermediate, true),
                new Block(l + names.feedForwardBlock, i, Block.Kind.FEED_FORWARD, h, feedForwardNorm),
                feedForwardNorm,
                new Layer(name, i, h));
    }

    @Override
    public boolean supportsExactPacking() {
        return positionBias == null && boxes.isEmpty();
    }

    @Override
    public HiddenStates forward(Inputs in, ForwardPass pass) {
        ScalarType type = norm.weight().scalar_type();
        Tensor h = LayerOps.enterLayers(pass, stream, pass.segment(() -> new Tensor[] {embed(in, type, pass)})[0]);
        ScalarType base = layers.get(0).query.type();
        AttentionMask padding = AttentionMask.of(layers.get(0).attention, false, base, pass);
        AttentionMask mask = positionBias == null ? padding : padding.plus(positionBias.bias(h.size(1), base));
        h = LayerOps.layers(pass, layers, h, (layer, x) -> forward(layer, x, mask, pass));
        pass.collect(h);
        return pass.result(h);
    }

    private Tensor embed(Inputs in, ScalarType type, ForwardPass pass) {
        Hooks hooks = pass.hooks();
        InputEmbeddings embeddings = InputEmbeddings.of(words, in, type, pass);
        Tensor sum = embeddings.rows().add(Ops.to(hooks.embedding(positions, places(in, embeddings), pass), type));
        if (types != null) {
            Tensor typeIds = embeddings.typeIds();
            if (typeIds == null) {
                typeIds = Tensors.zeros(ScalarType.Long, in.rows(), sum.size(1));
            }
            sum = sum.add(Ops.to(hooks.embedding(types, typeIds, pass), type));
        }
        // The box of a token without one has its corners at 0: left and right are in one table, and top and bottom.
        for (int i = 0; i < boxes.size(); i++) {
            Tensor zeros = Tensors.zeros(ScalarType.Long, in.rows(), sum.size(1));
            Tensor corner = Ops.to(hooks.embedding(boxes.get(i), zeros, pass), type);
            sum = sum.add(i < 2 ? Ops.scale(corner, 2) : corner);
        }
        Tensor h = Dropout.apply(hooks.norm(norm, sum, pass), config.dropout, pass.isTraining());
        return projection == null ? h : Ops.to(hooks.linear(projection, h, pass), type);
    }

    /** Returns the rows of the table of positions, {@code [batch, seq]}. */
    private Tensor places(Inputs in, InputEmbeddings embeddings) {
        boolean prompted = embeddings.rows().size(1) > in.width();
        if (config.offset == 0 || prompted || in.positions() != null) {
            return Ops.plusLong(embeddings.positions(), config.offset).expand(in.rows(), -1);
        }
        Tensor counts = Ops.to(in.ids().ne(new Scalar((long) config.padding)), ScalarType.Long);
        return Ops.plusLong(counts.cumsum(1).mul(counts), config.offset - 1L);
    }

    private Tensor forward(EncoderLayer layer, Tensor h, AttentionMask mask, ForwardPass pass) {
        int heads = config.size.heads();
        Tensor x = LayerOps.cast(pass, h, layer.query.type());
        Tensor[] qkv = LayerOps.linears(pass, x, layer.query, layer.key, layer.value);
        boolean first = layer == layers.get(layers.size() - 1) && LayerOps.mayReadFirstOnly(pass, layer.sites());
        Tensor residual = first ? LayerOps.first(pass, h) : h;
        Tensor q = LayerOps.splitHeads(pass, first ? LayerOps.first(pass, qkv[0]) : qkv[0], heads, null);
        Tensor k = LayerOps.splitHeads(pass, qkv[1], heads, null);
        Tensor v = LayerOps.splitHeads(pass, qkv[2], heads, null);
        Tensor attended =
                ScaledDotProductAttention.attend(layer.attention, q, k, v, mask, config.attentionDropout, pass);
        Tensor out = LayerOps.linear(pass, layer.output, attended);
        Tensor middle = PostNorm.add(
                layer.attentionBlock, layer.attentionNorm, residual, out, config.attentionOutputDropout, pass);

        Tensor y = LayerOps.cast(pass, middle, layer.query.type());
        Tensor down =
                LayerOps.downProjection(pass, layer.down, config.activation, LayerOps.linear(pass, layer.up, y), null);
        Tensor result = PostNorm.add(layer.feedForwardBlock, layer.feedForwardNorm, middle, down, config.dropout, pass);
        return LayerOps.leaveLayer(pass, layer.layer, result);
    }

    Config config() {
        return config;
    }

    Embedding words() {
        return words;
    }

    @Nullable
    Linear pooler() {
        return pooler;
    }

    @Override
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>(List.of(words, positions));
        if (types != null) {
            sites.add(types);
        }
        sites.addAll(boxes);
        sites.add(norm);
        if (projection != null) {
            sites.add(projection);
        }
        sites.add(stream);
        layers.forEach(layer -> sites.addAll(layer.sites()));
        if (pooler != null) {
            sites.add(pooler);
        }
        return sites;
    }

    @Override
    public List<List<Linear>> siblings() {
        return layers.stream()
                .map(layer -> List.of(layer.query, layer.key, layer.value))
                .toList();
    }

    @Override
    public Size size() {
        return config.size;
    }
}
