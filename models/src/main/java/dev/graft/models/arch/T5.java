package dev.graft.models.arch;

import dev.graft.models.Backbone;
import dev.graft.models.attention.AttentionMask;
import dev.graft.models.attention.BiasedAttention;
import dev.graft.models.attention.RelativePositionBias;
import dev.graft.models.cache.KvCache;
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
import dev.graft.tensor.ops.Dropout;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * T5 (Raffel et al., 2020), also version 1.1, Flan, mT5 and umT5: a pre-norm encoder and a decoder that attends to it.
 * Positions are relative instead of embedded, and scores aren't scaled. For a class of a sequence or for an answer, the
 * decoder reads the text itself, one position later. For classes of tokens there is only the encoder. With h the
 * residual stream and e the encoder's output, a layer is
 *
 * <pre>{@code
 * x = norm(h);  h = h + o(attend(q(x), k(x), v(x), bias))
 * x = norm(h);  h = h + o(attend(q(x), k(e), v(e)))              (decoder)
 * x = norm(h);  h = h + wo(relu(wi(x)))  or  wo(gelu(wi_0(x)) * wi_1(x))
 * }</pre>
 */
final class T5 implements Backbone {
    private final Config config;
    private final Embedding shared;
    private final Stream stream;
    private final Stack encoder;
    private final @Nullable Stack decoder;
    private final @Nullable Integer start;
    private final double outputScale;

    /** A family's shape. */
    record Config(
            int vocab,
            int width,
            int headDim,
            int heads,
            int intermediate,
            int encoderLayers,
            int decoderLayers,
            int buckets,
            int farthest,
            double eps,
            double dropout,
            int padding,
            Activation activation,
            boolean gated,
            boolean biasedLayers) {}

    private record Stack(List<StackLayer> layers, Norm norm) {}

    private record Projections(Norm norm, Linear q, Linear k, Linear v, Linear o) {}

    /** @param bias the bias by the distance from query to key, or null if it is that of the layer before */
    private record StackLayer(
            Projections self,
            @Nullable RelativePositionBias bias,
            Attention attention,
            Block attentionBlock,
            @Nullable Projections cross,
            Attention crossAttention,
            Block crossBlock,
            Norm feedForwardNorm,
            @Nullable Linear gate,
            Linear up,
            Linear down,
            Block feedForwardBlock,
            Layer layer) {}

    /**
     * Creates a model.
     *
     * @param prefix the prefix of its names
     * @param decodes whether there is a decoder
     * @param start the token before the text that the decoder reads; null if it reads an answer
     */
    T5(Config config, Weights w, String prefix, boolean decodes, @Nullable Integer start, double outputScale) {
        this.config = config;
        this.start = start;
        this.outputScale = outputScale;
        shared = w.tokenEmbedding(prefix + "shared", config.vocab, config.width, config.padding);
        stream = new Stream(prefix + "encoder", config.width);
        Attention.Kind kind = decodes ? Attention.Kind.ENCODER : Attention.Kind.OWN;
        encoder = stack(w, prefix + "encoder.", config.encoderLayers, kind, false);
        decoder = decodes ? stack(w, prefix + "decoder.", config.decoderLayers, Attention.Kind.OWN, true) : null;
    }

    Embedding tokens() {
        return shared;
    }

    private Stack stack(Weights w, String prefix, int count, Attention.Kind own, boolean decodes) {
        List<StackLayer> layers = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            String block = prefix + "block." + i + ".";
            String last = block + "layer." + (decodes ? 2 : 1);
            String dense = last + ".DenseReluDense.";
            layers.add(new StackLayer(
                    projections(w, block + "layer.0", "SelfAttention", i),
                    i == 0 || config.biasedLayers ? bias(w, block + "layer.0.SelfAttention", !decodes) : null,
                    attention(block + "layer.0.SelfAttention", i, own),
                    new Block(block + "layer.0", i, Block.Kind.ATTENTION, config.width, null),
                    decodes ? projections(w, block + "layer.1", "EncDecAttention", i) : null,
                    attention(block + "layer.1.EncDecAttention", i, Attention.Kind.CROSS),
                    new Block(block + "layer.1", i, Block.Kind.CROSS_ATTENTION, config.width, null),
                    norm(w, last + ".layer_norm", i),
                    config.gated ? linear(w, dense + "wi_0", Role.GATE, i, config.intermediate, config.width) : null,
                    linear(w, dense + (config.gated ? "wi_1" : "wi"), Role.UP, i, config.intermediate, config.width),
                    linear(w, dense + "wo", Role.DOWN, i, config.width, config.intermediate),
                    new Block(last, i, Block.Kind.FEED_FORWARD, config.width, null),
                    new Layer(prefix + "block." + i, i, config.width)));
        }
        return new Stack(layers, norm(w, prefix + "final_layer_norm", -1));
    }

    private RelativePositionBias bias(Weights w, String attention, boolean bothWays) {
        String table = attention + ".relative_attention_bias";
        Embedding distances = new Embedding(table, w.matrix(table + ".weight", config.buckets, config.heads), false);
        return new RelativePositionBias(distances, bothWays, config.farthest);
    }

    private Attention attention(String name, int layer, Attention.Kind kind) {
        return new Attention(name, layer, kind, config.heads, config.headDim, 1);
    }

    private Projections projections(Weights w, String layer, String name, int index) {
        int inner = config.heads * config.headDim;
        String a = layer + "." + name + ".";
        return new Projections(
                norm(w, layer + ".layer_norm", index),
                linear(w, a + "q", Role.QUERY, index, inner, config.width),
                linear(w, a + "k", Role.KEY, index, inner, config.width),
                linear(w, a + "v", Role.VALUE, index, inner, config.width),
                linear(w, a + "o", Role.OUTPUT, index, config.width, inner));
    }

    private Norm norm(Weights w, String name, int layer) {
        return new Norm(name, layer, Norm.Kind.RMS, w.vector(name + ".weight", config.width), null, config.eps);
    }

    private static Linear linear(Weights w, String name, Role role, int layer, int out, int in) {
        return w.linear(name, role, layer, out, in, false);
    }

    @Override
    public HiddenStates forward(Inputs in, ForwardPass pass) {
        if (decoder == null) {
            return pass.result(encode(in, pass));
        }
        if (start == null) {
            return pass.result(decode(decoder, in, in.decoderInputs(), pass));
        }
        Tensor last = decode(decoder, in, in.shiftedRight(start), pass);
        pass.context().setInputs(in.mask());
        return pass.result(last);
    }

    /** Computes the hidden states of the decoder for an answer so far. */
    private Tensor decode(Stack decoder, Inputs in, Inputs target, ForwardPass pass) {
        KvCache cache = pass.context().cache();
        ScalarType small = encoder.norm.weight().scalar_type();
        Source source = source(in, pass);
        Tensor h = pass.segment(() -> {
            pass.context().setInputs(target);
            Tensor rows = Ops.to(pass.hooks().embedding(shared, target.ids(), pass), small);
            return new Tensor[] {drop(rows, pass)};
        })[0];
        AttentionMask mask = AttentionMask.of(decoder.layers.get(0).attention, true, small, pass);
        Tensor hiding = AttentionMask.hiding(source.mask, small);
        long width = target.width();
        Tensor shared = shared(decoder, width, mask, pass);
        h = LayerOps.layers(pass, decoder.layers, h, (layer, x) -> {
            Tensor bias = shared == null ? biased(layer, width, mask, pass) : shared;
            Tensor attended = attended(layer, x, bias, pass);
            Tensor crossed = crossed(layer, attended, source.states, hiding, pass);
            return LayerOps.leaveLayer(pass, layer.layer, feedForward(layer, crossed, pass));
        });
        h = last(decoder, h, pass);
        pass.collect(h);
        if (cache != null) {
            cache.advance(mask.keys());
        }
        Tensor out = h;
        return outputScale == 1 ? h : pass.segment(() -> new Tensor[] {Ops.scale(out, outputScale)})[0];
    }

    /** The encoder output that a decoder attends to, null if a cache has its keys and values, and its mask. */
    private record Source(@Nullable Tensor states, Tensor mask) {}

    private Source source(Inputs in, ForwardPass pass) {
        KvCache cache = pass.context().cache();
        if (cache != null && cache.length() > 0) {
            return new Source(null, cache.source());
        }
        ForwardPass encoderPass = pass.encoder();
        Tensor states = encode(in, encoderPass);
        if (cache != null) {
            cache.keepSource(encoderPass.context().mask());
        }
        return new Source(states, encoderPass.context().mask());
    }

    /** Computes the hidden states of the encoder for a text. */
    private Tensor encode(Inputs in, ForwardPass pass) {
        ScalarType small = encoder.norm.weight().scalar_type();
        Tensor h = LayerOps.enterLayers(
                pass,
                stream,
                pass.segment(() -> new Tensor[] {
                    drop(InputEmbeddings.of(shared, in, small, pass).rows(), pass)
                })[0]);
        AttentionMask mask = AttentionMask.of(encoder.layers.get(0).attention, false, small, pass);
        long width = h.size(1);
        Tensor shared = shared(encoder, width, mask, pass);
        h = LayerOps.layers(pass, encoder.layers, h, (layer, x) -> {
            Tensor bias = shared == null ? biased(layer, width, mask, pass) : shared;
            return LayerOps.leaveLayer(pass, layer.layer, feedForward(layer, attended(layer, x, bias, pass), pass));
        });
        h = last(encoder, h, pass);
        pass.collect(h);
        return h;
    }

    /** Returns the common bias of the scores of all layers; null if each has its own. */
    private static @Nullable Tensor shared(Stack stack, long queries, AttentionMask mask, ForwardPass pass) {
        boolean own = stack.layers.stream().allMatch(layer -> layer.bias != null);
        return own ? null : biased(stack.layers.get(0), queries, mask, pass);
    }

    /** Returns the bias of a layer's scores, with its mask. */
    private static Tensor biased(StackLayer layer, long queries, AttentionMask mask, ForwardPass pass) {
        RelativePositionBias bias = layer.bias;
        if (bias == null) {
            throw new IllegalStateException(layer.layer.name() + " has no bias of its own");
        }
        Tensor distances = bias.of(queries, mask, pass);
        Tensor hidden = mask.additive();
        return hidden == null ? distances : pass.segment(() -> new Tensor[] {distances.add(hidden)})[0];
    }

    private Tensor attended(StackLayer layer, Tensor h, @Nullable Tensor bias, ForwardPass pass) {
        Projections p = layer.self;
        Tensor x = LayerOps.norm(pass, p.norm, h, p.q.type());
        Tensor q = LayerOps.splitHeads(pass, LayerOps.linear(pass, p.q, x), config.heads, null);
        Tensor k = LayerOps.splitHeads(pass, LayerOps.linear(pass, p.k, x), config.heads, null);
        Tensor v = LayerOps.splitHeads(pass, LayerOps.linear(pass, p.v, x), config.heads, null);
        Tensor mixed = BiasedAttention.attend(layer.attention, q, k, v, 1, bias, config.dropout, pass);
        return LayerOps.add(pass, layer.attentionBlock, h, dropped(LayerOps.linear(pass, p.o, mixed), pass));
    }

    private Tensor crossed(
            StackLayer layer, Tensor h, @Nullable Tensor source, @Nullable Tensor hiding, ForwardPass pass) {
        Projections p = layer.cross;
        if (p == null || hiding == null) {
            throw new IllegalStateException("only a decoder attends to an encoder");
        }
        ScalarType base = p.q.type();
        Tensor q = LayerOps.splitHeads(
                pass, LayerOps.linear(pass, p.q, LayerOps.norm(pass, p.norm, h, base)), config.heads, null);
        Tensor[] seen = KvCache.source(pass.context().cache(), layer.attention.layer(), () -> {
            if (source == null) {
                throw new IllegalStateException("there is no encoder output");
            }
            Tensor e = LayerOps.cast(pass, source, base);
            return new Tensor[] {
                LayerOps.splitHeads(pass, LayerOps.linear(pass, p.k, e), config.heads, null),
                LayerOps.splitHeads(pass, LayerOps.linear(pass, p.v, e), config.heads, null)
            };
        });
        Tensor mixed = BiasedAttention.attend(layer.crossAttention, q, seen, 1, hiding, config.dropout, pass);
        return LayerOps.add(pass, layer.crossBlock, h, dropped(LayerOps.linear(pass, p.o, mixed), pass));
    }

    private Tensor feedForward(StackLayer layer, Tensor h, ForwardPass pass) {
        Tensor x = LayerOps.norm(pass, layer.feedForwardNorm, h, layer.up.type());
        Tensor up = LayerOps.linear(pass, layer.up, x);
        Tensor inner = layer.gate == null
                ? LayerOps.activate(pass, config.activation, up)
                : LayerOps.gated(pass, config.activation, LayerOps.linear(pass, layer.gate, x), up);
        Tensor down = LayerOps.linear(pass, layer.down, dropped(inner, pass));
        return LayerOps.add(pass, layer.feedForwardBlock, h, dropped(down, pass));
    }

    private Tensor last(Stack stack, Tensor h, ForwardPass pass) {
        ScalarType type = stack.norm.weight().scalar_type();
        return dropped(LayerOps.norm(pass, stack.norm, h, type), pass);
    }

    private Tensor dropped(Tensor x, ForwardPass pass) {
        return pass.isTraining() && config.dropout > 0 ? pass.segment(() -> new Tensor[] {drop(x, pass)})[0] : x;
    }

    private Tensor drop(Tensor x, ForwardPass pass) {
        return Dropout.apply(x, config.dropout, pass.isTraining());
    }

    @Override
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>(List.of(shared, stream));
        add(sites, encoder);
        if (decoder != null) {
            add(sites, decoder);
        }
        return sites;
    }

    private static void add(List<Site> sites, Stack stack) {
        for (StackLayer l : stack.layers) {
            add(sites, l.self);
            if (l.bias != null) {
                sites.add(l.bias.table());
            }
            sites.add(l.attention);
            sites.add(l.attentionBlock);
            if (l.cross != null) {
                add(sites, l.cross);
                sites.add(l.crossAttention);
                sites.add(l.crossBlock);
            }
            if (l.gate != null) {
                sites.add(l.gate);
            }
            sites.addAll(List.of(l.up, l.down, l.feedForwardNorm, l.feedForwardBlock, l.layer));
        }
        sites.add(stack.norm);
    }

    private static void add(List<Site> sites, Projections p) {
        sites.addAll(List.of(p.q, p.k, p.v, p.o, p.norm));
    }

    @Override
    public Inputs dummyInputs(long[][] ids) {
        Inputs texts = Inputs.of(ids);
        return decoder == null || start != null ? texts : texts.withDecoder(texts);
    }

    /** No limit, since relative positions have none. */
    @Override
    public Size size() {
        return new Size(config.vocab, config.width, config.encoderLayers, config.heads, Size.UNLIMITED);
    }
}
