package dev.graft.models.arch;

import dev.graft.models.Activation;
import dev.graft.models.AttentionMask;
import dev.graft.models.Backbone;
import dev.graft.models.BiasedAttention;
import dev.graft.models.Embedded;
import dev.graft.models.Hidden;
import dev.graft.models.Inputs;
import dev.graft.models.KvCache;
import dev.graft.models.Pass;
import dev.graft.models.RelativeBias;
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
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * T5 (Raffel et al., 2020), also version 1.1, Flan, mT5 and umT5: a pre-norm encoder and a decoder that attends to it, with relative positions in
 * place of embedded ones and scores that aren't scaled. Where sequences are classified or answers found, the decoder reads the text itself, one
 * position later; where tokens are classified there is the encoder alone. With h the residual stream and e the encoder's output, a layer is
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

    /** @param bias by the distance from query to key, or null where it is that of the layer before */
    private record StackLayer(
            Projections self,
            @Nullable RelativeBias bias,
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
     * A model.
     *
     * @param prefix what its names have before them
     * @param decodes whether there is a decoder
     * @param start the token behind which the decoder reads the text itself; null where it reads an answer
     */
    T5(Config config, Weights w, String prefix, boolean decodes, @Nullable Integer start, double outputScale) {
        this.config = config;
        this.start = start;
        this.outputScale = outputScale;
        shared = w.tokens(prefix + "shared", config.vocab, config.width, config.padding);
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

    private RelativeBias bias(Weights w, String attention, boolean bothWays) {
        String table = attention + ".relative_attention_bias";
        Embedding distances = new Embedding(table, w.matrix(table + ".weight", config.buckets, config.heads), false);
        return new RelativeBias(distances, bothWays, config.farthest);
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
    public Hidden hidden(Inputs in, Pass pass) {
        if (decoder == null) {
            return pass.result(encode(in, pass));
        }
        if (start == null) {
            return pass.result(decode(decoder, in, in.target(), pass));
        }
        Tensor last = decode(decoder, in, in.shifted(start), pass);
        pass.context().sees(in.mask());
        return pass.result(last);
    }

    /** What the decoder makes of an answer so far. */
    private Tensor decode(Stack decoder, Inputs in, Inputs target, Pass pass) {
        KvCache cache = pass.context().cache();
        ScalarType small = encoder.norm.weight().scalar_type();
        Source source = source(in, pass);
        Tensor h = pass.piece(() -> {
            pass.context().sees(target);
            Tensor rows = Ops.to(pass.hooks().embedding(shared, target.ids(), pass), small);
            return new Tensor[] {drop(rows, pass)};
        })[0];
        AttentionMask mask = AttentionMask.of(decoder.layers.get(0).attention, true, small, pass);
        Tensor hiding = AttentionMask.hiding(source.mask, small);
        long width = target.width();
        Tensor shared = shared(decoder, width, mask, pass);
        h = pass.layers(decoder.layers, h, (layer, x) -> {
            Tensor bias = shared == null ? biased(layer, width, mask, pass) : shared;
            Tensor attended = attended(layer, x, bias, pass);
            Tensor crossed = crossed(layer, attended, source.states, hiding, pass);
            return pass.leave(layer.layer, feedForward(layer, crossed, pass));
        });
        h = last(decoder, h, pass);
        pass.collect(h);
        if (cache != null) {
            cache.advance(mask.keys());
        }
        Tensor out = h;
        return outputScale == 1 ? h : pass.piece(() -> new Tensor[] {Ops.scale(out, outputScale)})[0];
    }

    /** What a decoder attends to: the encoder's output, null where a cache holds its keys and values, and its mask. */
    private record Source(@Nullable Tensor states, Tensor mask) {}

    private Source source(Inputs in, Pass pass) {
        KvCache cache = pass.context().cache();
        if (cache != null && cache.length() > 0) {
            return new Source(null, cache.source());
        }
        Pass side = pass.encoder();
        Tensor states = encode(in, side);
        if (cache != null) {
            cache.keepSource(side.context().mask());
        }
        return new Source(states, side.context().mask());
    }

    /** What the encoder makes of a text. */
    private Tensor encode(Inputs in, Pass pass) {
        ScalarType small = encoder.norm.weight().scalar_type();
        Tensor h = pass.enter(
                stream,
                pass.piece(() ->
                        new Tensor[] {drop(Embedded.of(shared, in, small, pass).rows(), pass)})[0]);
        AttentionMask mask = AttentionMask.of(encoder.layers.get(0).attention, false, small, pass);
        long width = h.size(1);
        Tensor shared = shared(encoder, width, mask, pass);
        h = pass.layers(encoder.layers, h, (layer, x) -> {
            Tensor bias = shared == null ? biased(layer, width, mask, pass) : shared;
            return pass.leave(layer.layer, feedForward(layer, attended(layer, x, bias, pass), pass));
        });
        h = last(encoder, h, pass);
        pass.collect(h);
        return h;
    }

    /** What is added to the scores of all layers; null where each has its own. */
    private static @Nullable Tensor shared(Stack stack, long queries, AttentionMask mask, Pass pass) {
        boolean own = stack.layers.stream().allMatch(layer -> layer.bias != null);
        return own ? null : biased(stack.layers.get(0), queries, mask, pass);
    }

    /** What is added to a layer's scores. */
    private static Tensor biased(StackLayer layer, long queries, AttentionMask mask, Pass pass) {
        RelativeBias bias = layer.bias;
        if (bias == null) {
            throw new IllegalStateException(layer.layer.name() + " has no bias of its own");
        }
        Tensor distances = bias.of(queries, mask, pass);
        Tensor hidden = mask.additive();
        return hidden == null ? distances : pass.piece(() -> new Tensor[] {distances.add(hidden)})[0];
    }

    private Tensor attended(StackLayer layer, Tensor h, @Nullable Tensor bias, Pass pass) {
        Projections p = layer.self;
        Tensor x = pass.norm(p.norm, h, p.q.type());
        Tensor q = pass.heads(pass.linear(p.q, x), config.heads, null);
        Tensor k = pass.heads(pass.linear(p.k, x), config.heads, null);
        Tensor v = pass.heads(pass.linear(p.v, x), config.heads, null);
        Tensor mixed = BiasedAttention.attend(layer.attention, q, k, v, 1, bias, config.dropout, pass);
        return pass.add(layer.attentionBlock, h, dropped(pass.linear(p.o, mixed), pass));
    }

    private Tensor crossed(StackLayer layer, Tensor h, @Nullable Tensor source, @Nullable Tensor hiding, Pass pass) {
        Projections p = layer.cross;
        if (p == null || hiding == null) {
            throw new IllegalStateException("only a decoder attends to an encoder");
        }
        ScalarType base = p.q.type();
        Tensor q = pass.heads(pass.linear(p.q, pass.norm(p.norm, h, base)), config.heads, null);
        Tensor[] seen = KvCache.source(pass.context().cache(), layer.attention.layer(), () -> {
            if (source == null) {
                throw new IllegalStateException("there is no encoder output");
            }
            Tensor e = pass.cast(source, base);
            return new Tensor[] {
                pass.heads(pass.linear(p.k, e), config.heads, null), pass.heads(pass.linear(p.v, e), config.heads, null)
            };
        });
        Tensor mixed = BiasedAttention.attend(layer.crossAttention, q, seen, 1, hiding, config.dropout, pass);
        return pass.add(layer.crossBlock, h, dropped(pass.linear(p.o, mixed), pass));
    }

    private Tensor feedForward(StackLayer layer, Tensor h, Pass pass) {
        Tensor x = pass.norm(layer.feedForwardNorm, h, layer.up.type());
        Tensor up = pass.linear(layer.up, x);
        Tensor inner = layer.gate == null
                ? pass.activate(config.activation, up)
                : pass.gated(config.activation, pass.linear(layer.gate, x), up);
        Tensor down = pass.linear(layer.down, dropped(inner, pass));
        return pass.add(layer.feedForwardBlock, h, dropped(down, pass));
    }

    private Tensor last(Stack stack, Tensor h, Pass pass) {
        ScalarType type = stack.norm.weight().scalar_type();
        return dropped(pass.norm(stack.norm, h, type), pass);
    }

    private Tensor dropped(Tensor x, Pass pass) {
        return pass.isTraining() && config.dropout > 0 ? pass.piece(() -> new Tensor[] {drop(x, pass)})[0] : x;
    }

    private Tensor drop(Tensor x, Pass pass) {
        return Ops.dropout(x, config.dropout, pass.isTraining());
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
    public Inputs trial(long[][] ids) {
        Inputs texts = Inputs.of(ids);
        return decoder == null || start != null ? texts : texts.answeredBy(texts);
    }

    /** Relative positions have no end. */
    @Override
    public Size size() {
        return new Size(config.vocab, config.width, config.encoderLayers, config.heads, Size.ENDLESS);
    }
}
