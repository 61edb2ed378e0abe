package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Architecture;
import dev.graft.models.Backbone;
import dev.graft.models.Task;
import dev.graft.models.attention.AttentionMask;
import dev.graft.models.attention.AttentionWindow;
import dev.graft.models.attention.Rope;
import dev.graft.models.attention.RopeScaling;
import dev.graft.models.attention.ScaledDotProductAttention;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.functions.Activation;
import dev.graft.models.heads.Head;
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
import dev.graft.tensor.ops.Dropout;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * ModernBERT (Warner et al., 2024): a pre-norm encoder with rotary positions and a gated feed-forward block. Every
 * third layer sees the whole text. The others see half a window to each side, with rotary positions of their own. The
 * first layer has no norm before its attention, because the embeddings have one.
 *
 * <pre>{@code
 * q, k, v = Wqkv(norm(h));  h = h + Wo(attend(rope(q), rope(k), v))
 * a, b = Wi(norm(h));       h = h + Wo(gelu(a) * b)
 * }</pre>
 */
public final class ModernBert implements Backbone {
    private final Config config;
    private final Embedding tokens;
    private final Norm norm;
    private final Stream stream;
    private final List<EncoderLayer> layers = new ArrayList<>();
    private final Norm last;

    /**
     * Its shape.
     *
     * @param window the distance that the other layers see to each side
     * @param sees for each layer, whether it sees everything
     */
    private record Config(
            Size size,
            int intermediate,
            int padding,
            Activation activation,
            double eps,
            boolean normBias,
            boolean attentionBias,
            boolean mlpBias,
            double attentionDropout,
            double embeddingDropout,
            double mlpDropout,
            Rope everywhere,
            Rope nearby,
            int window,
            List<Boolean> sees) {}

    private record EncoderLayer(
            boolean seesAll,
            @Nullable Norm attentionNorm,
            Attention attention,
            Linear qkv,
            Linear output,
            Block attentionBlock,
            Norm feedForwardNorm,
            Linear in,
            Linear out,
            Block feedForwardBlock,
            Layer layer) {}

    private ModernBert(Config config, Weights w, String prefix) {
        this.config = config;
        int h = config.size.hidden();
        tokens = w.tokenEmbedding(prefix + "embeddings.tok_embeddings", config.size.vocab(), h, config.padding);
        norm = w.layerNorm(prefix + "embeddings.norm", -1, h, config.normBias, config.eps);
        stream = Stream.of(prefix, h);
        for (int i = 0; i < config.size.layers(); i++) {
            String name = prefix + "layers." + i;
            String l = name + ".";
            layers.add(new EncoderLayer(
                    config.sees.get(i),
                    i == 0 ? null : w.layerNorm(l + "attn_norm", i, h, config.normBias, config.eps),
                    new Attention(l + "attn", i, config.size.heads(), h / config.size.heads()),
                    w.linear(l + "attn.Wqkv", Role.QUERY_KEY_VALUE, i, 3L * h, h, config.attentionBias),
                    w.linear(l + "attn.Wo", Role.OUTPUT, i, h, h, config.attentionBias),
                    new Block(l + "attention_adapters", i, Block.Kind.ATTENTION, h, null),
                    w.layerNorm(l + "mlp_norm", i, h, config.normBias, config.eps),
                    w.linear(l + "mlp.Wi", Role.GATE_UP, i, 2L * config.intermediate, h, config.mlpBias),
                    w.linear(l + "mlp.Wo", Role.DOWN, i, h, config.intermediate, config.mlpBias),
                    new Block(l + "output_adapters", i, Block.Kind.FEED_FORWARD, h, null),
                    new Layer(name, i, h)));
        }
        last = w.layerNorm(prefix + "final_norm", -1, h, config.normBias, config.eps);
    }

    @Override
    public HiddenStates forward(Inputs in, ForwardPass pass) {
        ScalarType small = norm.weight().scalar_type();
        ScalarType base = layers.get(0).qkv.type();
        Tensor[] start = pass.segment(() -> {
            InputEmbeddings embeddings = InputEmbeddings.of(tokens, in, small, pass);
            Tensor normed = pass.hooks().norm(norm, embeddings.rows(), pass);
            return new Tensor[] {
                Dropout.apply(normed, config.embeddingDropout, pass.isTraining()), embeddings.positions()
            };
        });
        AttentionMask all = AttentionMask.of(layers.get(0).attention, false, base, pass);
        AttentionMask near = all.within(AttentionWindow.window(config.window + 1));
        Rope.Angles everywhere = config.everywhere.at(start[1], small, 0).to(base);
        Rope.Angles nearby = config.nearby.at(start[1], small, 0).to(base);
        Tensor h = LayerOps.enterLayers(pass, stream, start[0]);
        h = LayerOps.layers(
                pass,
                layers,
                h,
                (layer, x) -> layer.seesAll
                        ? forward(layer, x, all, everywhere, base, pass)
                        : forward(layer, x, near, nearby, base, pass));
        h = LayerOps.norm(pass, last, h, small);
        pass.collect(h);
        return pass.result(h);
    }

    private Tensor forward(
            EncoderLayer layer, Tensor h, AttentionMask mask, Rope.Angles angles, ScalarType base, ForwardPass pass) {
        int heads = config.size.heads();
        Norm before = layer.attentionNorm;
        Tensor x = before == null ? LayerOps.cast(pass, h, base) : LayerOps.norm(pass, before, h, base);
        Tensor[] qkv = LayerOps.split(pass, LayerOps.linear(pass, layer.qkv, x), h.size(2), h.size(2), h.size(2));
        Tensor attended = ScaledDotProductAttention.attend(
                layer.attention,
                LayerOps.splitHeads(pass, qkv[0], heads, angles),
                LayerOps.splitHeads(pass, qkv[1], heads, angles),
                LayerOps.splitHeads(pass, qkv[2], heads, null),
                mask,
                config.attentionDropout,
                pass);
        Tensor out = LayerOps.dropout(pass, LayerOps.linear(pass, layer.output, attended), config.attentionDropout);
        Tensor middle = LayerOps.add(pass, layer.attentionBlock, h, out);

        Tensor y = LayerOps.norm(pass, layer.feedForwardNorm, middle, base);
        Tensor[] parts =
                LayerOps.split(pass, LayerOps.linear(pass, layer.in, y), config.intermediate, config.intermediate);
        Tensor gated =
                LayerOps.dropout(pass, LayerOps.gated(pass, config.activation, parts[0], parts[1]), config.mlpDropout);
        Tensor result = LayerOps.add(pass, layer.feedForwardBlock, middle, LayerOps.linear(pass, layer.out, gated));
        return LayerOps.leaveLayer(pass, layer.layer, result);
    }

    @Override
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>(List.of(tokens, norm, stream));
        for (EncoderLayer l : layers) {
            if (l.attentionNorm != null) {
                sites.add(l.attentionNorm);
            }
            sites.addAll(List.of(
                    l.qkv,
                    l.attention,
                    l.output,
                    l.attentionBlock,
                    l.feedForwardNorm,
                    l.in,
                    l.out,
                    l.feedForwardBlock,
                    l.layer));
        }
        sites.add(last);
        return sites;
    }

    /** The first has no norm before its attention. */
    @Override
    public boolean hasMixedLayers() {
        return true;
    }

    @Override
    public Size size() {
        return config.size;
    }

    /** Reads {@code model_type: modernbert}. */
    public static final class Family implements Architecture {
        @Override
        public String modelType() {
            return "modernbert";
        }

        @Override
        public String classNamePrefix() {
            return "ModernBert";
        }

        @Override
        public String prefix() {
            return "model.";
        }

        @Override
        public Set<Task> tasks() {
            return BertFamily.TASKS;
        }

        @Override
        public Model build(Fields f, Weights w, HeadSpec spec) {
            Config config = read(f);
            ModernBert backbone = new ModernBert(config, w, spec.task() == Task.FEATURE_EXTRACTION ? "" : prefix());
            return new Model(backbone, head(backbone, f, w, spec));
        }

        private static Head head(ModernBert backbone, Fields f, Weights w, HeadSpec spec) {
            Config config = backbone.config;
            int h = config.size.hidden();
            if (spec.task() == Task.FEATURE_EXTRACTION) {
                return new Head.NoHead(List.of());
            }
            boolean masked = spec.task() == Task.MASKED_LM;
            boolean bias = f.bool("classifier_bias", false);
            Linear linear = masked
                    ? w.linear("head.dense", Role.HEAD, -1, h, h, bias)
                    : w.headLinear("head.dense", h, h, bias, spec.seed());
            Head.Dense dense = new Head.Dense(
                    linear,
                    Activation.read(f, "classifier_activation", "gelu"),
                    w.headNorm("head.norm", h, config.normBias, config.eps),
                    0);
            if (masked) {
                String decoder = "decoder";
                Tensor table = w.has("decoder.weight")
                        ? w.matrix("decoder.weight", config.size.vocab(), h)
                        : backbone.tokens.weight();
                Tensor tableBias = f.bool("decoder_bias", true) ? w.bias("decoder.bias", config.size.vocab()) : null;
                return new Head.PerToken(dense, 0, new Linear(decoder, Role.HEAD, -1, table, tableBias));
            }
            double dropout = f.number("classifier_dropout", 0.0, 0, 1);
            int outputs = spec.task() == Task.QUESTION_ANS ? 2 : spec.labels();
            Linear output = w.headLinear("classifier", outputs, h, true, spec.seed());
            boolean mean = f.choice("classifier_pooling", "cls", "cls", "mean").equals("mean");
            return switch (spec.task()) {
                case SEQ_CLS ->
                    new Head.PerSequence(mean ? Head.Pooling.MEAN : Head.Pooling.FIRST, dense, dropout, output);
                case MULTIPLE_CHOICE ->
                    new Head.PerSequence(mean ? Head.Pooling.MEAN : Head.Pooling.BEGINNING, dense, dropout, output);
                default -> new Head.PerToken(dense, dropout, output);
            };
        }

        private static Config read(Fields f) {
            Backbone.Size size = new Backbone.Size(
                    f.integer("vocab_size"),
                    f.integer("hidden_size"),
                    f.integer("num_hidden_layers"),
                    BertEncoder.heads(f, "num_attention_heads", "hidden_size"),
                    f.integer("max_position_embeddings", 8192));
            int dim = size.hidden() / size.heads();
            int every = f.integer("global_attn_every_n_layers", 3, 1);
            return new Config(
                    size,
                    f.integer("intermediate_size"),
                    Embedding.padding(f, 50_283),
                    Activation.read(f, "hidden_activation", "gelu"),
                    f.number("norm_eps", 1e-5, 0, 1),
                    f.bool("norm_bias", false),
                    f.bool("attention_bias", false),
                    f.bool("mlp_bias", false),
                    f.number("attention_dropout", 0.0, 0, 1),
                    f.number("embedding_dropout", 0.0, 0, 1),
                    f.number("mlp_dropout", 0.0, 0, 1),
                    RopeScaling.read(f, "full_attention", dim, "global_rope_theta", 160_000),
                    RopeScaling.read(f, "sliding_attention", dim, "local_rope_theta", 10_000),
                    f.integer("local_attention", 128, 1) / 2,
                    LayerTypes.types(f, size, layer -> layer % every == 0).stream()
                            .map(LayerTypes.FULL::equals)
                            .toList());
        }
    }
}
