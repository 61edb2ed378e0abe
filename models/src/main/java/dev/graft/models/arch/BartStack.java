package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.attention.AttentionMask;
import dev.graft.models.attention.BiasedAttention;
import dev.graft.models.attention.ScaledDotProductAttention;
import dev.graft.models.cache.KvCache;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.functions.Activation;
import dev.graft.models.layers.LayerOps;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Layer;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.models.weights.Weights;
import dev.graft.tensor.Ops;
import dev.graft.tensor.ops.Dropout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The layers of BART's encoder or decoder (Lewis et al., 2020), and of similar models. With h the residual stream and e
 * the encoder's output, a layer is
 *
 * <pre>{@code
 * h = norm(h + o(attend(q(h), k(h), v(h))))
 * h = norm(h + o(attend(q(h), k(e), v(e))))         (decoder)
 * h = norm(h + fc2(activation(fc1(h))))
 * }</pre>
 *
 * or, where norms come first, h + f(norm(h)) each time, with one more norm at the end.
 */
final class BartStack {
    private static final double EPS = 1e-5;

    private final Config config;
    private final List<StackLayer> layers = new ArrayList<>();
    private final @Nullable Norm last;

    /**
     * The shape of a stack.
     *
     * @param normFirst whether norms precede the blocks whose outputs are added to the residual stream
     * @param keyBias whether keys have a bias
     * @param activationDropout the dropout of the input of the second linear layer of a feed-forward block
     */
    record Config(
            int layers,
            int width,
            int heads,
            int intermediate,
            Activation activation,
            boolean normFirst,
            boolean keyBias,
            double dropout,
            double attentionDropout,
            double activationDropout) {
        /**
         * Reads the {@code encoder} or {@code decoder} fields of a config. In Whisper norms come first, and keys have
         * no bias.
         */
        static Config read(Fields f, String side, boolean whisper) {
            if (f.number(side + "_layerdrop", 0) != 0) {
                throw f.invalid(side + "_layerdrop", "0: layers are not dropped in training; set it so");
            }
            return new Config(
                    f.integer(side + "_layers"),
                    f.integer("d_model"),
                    BertEncoder.heads(f, side + "_attention_heads", "d_model"),
                    f.integer(side + "_ffn_dim"),
                    Activation.read(f, "activation_function", "gelu"),
                    whisper,
                    !whisper,
                    f.number("dropout", whisper ? 0 : 0.1, 0, 1),
                    f.number("attention_dropout", 0, 0, 1),
                    f.number("activation_dropout", 0, 0, 1));
        }
    }

    /**
     * The encoder output that a decoder attends to.
     *
     * @param states the encoder's output, or null if a cache has its keys and values
     * @param hiding a mask like that of {@link AttentionMask#hiding}, or null if nothing is hidden
     */
    record Source(@Nullable Tensor states, @Nullable Tensor hiding) {}

    private record Projections(Linear k, Linear v, Linear q, Linear out, Norm norm) {}

    /** Attention to an encoder. */
    private record Cross(Projections projections, Attention attention, Block block) {}

    private record StackLayer(
            Attention attention,
            Projections self,
            Block attentionBlock,
            @Nullable Cross cross,
            Linear up,
            Linear down,
            Norm norm,
            Block feedForwardBlock,
            Layer layer) {}

    /** @param prefix the prefix of the stack's modules, such as {@code encoder.} */
    BartStack(Weights w, String prefix, Config config, boolean decodes) {
        this.config = config;
        for (int i = 0; i < config.layers; i++) {
            layers.add(layer(w, prefix + "layers." + i, i, decodes));
        }
        last = config.normFirst ? w.layerNorm(prefix + "layer_norm", -1, config.width, true, EPS) : null;
    }

    private StackLayer layer(Weights w, String name, int i, boolean decodes) {
        int h = config.width;
        String l = name + ".";
        Projections self = projections(w, l + "self_attn", i);
        Norm norm = w.layerNorm(l + "final_layer_norm", i, h, true, EPS);
        return new StackLayer(
                attention(l + "self_attn", i, decodes ? Attention.Kind.OWN : Attention.Kind.ENCODER),
                self,
                new Block(l + "attention_adapters", i, Block.Kind.ATTENTION, h, config.normFirst ? null : self.norm),
                decodes ? cross(w, l, i) : null,
                w.linear(l + "fc1", Role.UP, i, config.intermediate, h, true),
                w.linear(l + "fc2", Role.DOWN, i, h, config.intermediate, true),
                norm,
                new Block(l + "output_adapters", i, Block.Kind.FEED_FORWARD, h, config.normFirst ? null : norm),
                new Layer(name, i, h));
    }

    private Attention attention(String name, int i, Attention.Kind kind) {
        int headDim = config.width / config.heads;
        return new Attention(name, i, kind, config.heads, headDim, 1 / Math.sqrt(headDim));
    }

    private Cross cross(Weights w, String l, int i) {
        Projections own = projections(w, l + "encoder_attn", i);
        return new Cross(
                own,
                attention(l + "encoder_attn", i, Attention.Kind.CROSS),
                new Block(
                        l + "cross_attention_adapters",
                        i,
                        Block.Kind.CROSS_ATTENTION,
                        config.width,
                        config.normFirst ? null : own.norm));
    }

    private Projections projections(Weights w, String name, int i) {
        int h = config.width;
        return new Projections(
                w.linear(name + ".k_proj", Role.KEY, i, h, h, config.keyBias),
                w.linear(name + ".v_proj", Role.VALUE, i, h, h, true),
                w.linear(name + ".q_proj", Role.QUERY, i, h, h, true),
                w.linear(name + ".out_proj", Role.OUTPUT, i, h, h, true),
                w.layerNorm(name + "_layer_norm", i, h, true, EPS));
    }

    /** The attention of its first layer. */
    Attention first() {
        return layers.get(0).attention;
    }

    /** The type of its matrices. */
    ScalarType base() {
        return layers.get(0).up.type();
    }

    /** The type of the residual stream. */
    ScalarType small() {
        return layers.get(0).norm.weight().scalar_type();
    }

    /** Runs h {@code [batch, seq, width]} through all layers. */
    Tensor run(Tensor h, AttentionMask mask, @Nullable Source source, ForwardPass pass) {
        Tensor x = LayerOps.layers(pass, layers, h, (layer, input) -> forward(layer, input, mask, source, pass));
        x = last == null ? x : LayerOps.norm(pass, last, x, small());
        pass.collect(x);
        return x;
    }

    private Tensor forward(StackLayer layer, Tensor h, AttentionMask mask, @Nullable Source source, ForwardPass pass) {
        Tensor middle = add(layer.attentionBlock, layer.self.norm, h, x -> attended(layer, x, mask, pass), pass);
        Cross cross = layer.cross;
        if (cross != null) {
            middle = add(cross.block, cross.projections.norm, middle, x -> crossed(cross, x, source, pass), pass);
        }
        Tensor out = add(layer.feedForwardBlock, layer.norm, middle, x -> feedForward(layer, x, pass), pass);
        return LayerOps.leaveLayer(pass, layer.layer, out);
    }

    /** Adds a block's output to the residual stream, normalised before or after. */
    private Tensor add(Block site, Norm norm, Tensor h, UnaryOperator<Tensor> block, ForwardPass pass) {
        if (config.normFirst) {
            Tensor out = LayerOps.dropout(pass, block.apply(LayerOps.norm(pass, norm, h, base())), config.dropout);
            return LayerOps.add(pass, site, h, out);
        }
        Tensor out = block.apply(LayerOps.cast(pass, h, base()));
        return pass.segment(() -> {
            Tensor dropped = Dropout.apply(Ops.to(out, h.scalar_type()), config.dropout, pass.isTraining());
            return new Tensor[] {pass.hooks().norm(norm, h.add(pass.hooks().block(site, h, dropped, pass)), pass)};
        })[0];
    }

    private Tensor attended(StackLayer layer, Tensor x, AttentionMask mask, ForwardPass pass) {
        Projections p = layer.self;
        Tensor[] qkv = LayerOps.linears(pass, x, p.q, p.k, p.v);
        Tensor q = LayerOps.splitHeads(pass, qkv[0], config.heads, null);
        Tensor k = LayerOps.splitHeads(pass, qkv[1], config.heads, null);
        Tensor v = LayerOps.splitHeads(pass, qkv[2], config.heads, null);
        return LayerOps.linear(
                pass,
                p.out,
                ScaledDotProductAttention.attend(layer.attention, q, k, v, mask, config.attentionDropout, pass));
    }

    private Tensor crossed(Cross cross, Tensor x, @Nullable Source source, ForwardPass pass) {
        Projections p = cross.projections;
        Tensor q = LayerOps.splitHeads(pass, LayerOps.linear(pass, p.q, x), config.heads, null);
        Tensor[] seen = KvCache.source(pass.context().cache(), cross.attention.layer(), () -> {
            Tensor states = source == null ? null : source.states;
            if (states == null) {
                throw new IllegalStateException("there is no encoder output");
            }
            Tensor[] kv = LayerOps.linears(pass, LayerOps.cast(pass, states, base()), p.k, p.v);
            return new Tensor[] {
                LayerOps.splitHeads(pass, kv[0], config.heads, null),
                LayerOps.splitHeads(pass, kv[1], config.heads, null)
            };
        });
        Tensor hiding = source == null ? null : source.hiding;
        Tensor mixed = BiasedAttention.attend(
                cross.attention, q, seen, cross.attention.scale(), hiding, config.attentionDropout, pass);
        return LayerOps.linear(pass, p.out, mixed);
    }

    private Tensor feedForward(StackLayer layer, Tensor x, ForwardPass pass) {
        Tensor up = LayerOps.linear(pass, layer.up, x);
        if (pass.isTraining() && config.activationDropout > 0) {
            Tensor active = LayerOps.activate(pass, config.activation, up);
            return LayerOps.linear(pass, layer.down, LayerOps.dropout(pass, active, config.activationDropout));
        }
        return LayerOps.downProjection(pass, layer.down, config.activation, up, null);
    }

    /** Its sites in the order of its modules. */
    List<Site> sites() {
        List<Site> sites = new ArrayList<>();
        for (StackLayer l : layers) {
            add(sites, l.self);
            sites.addAll(List.of(l.attention, l.attentionBlock));
            if (l.cross != null) {
                add(sites, l.cross.projections);
                sites.addAll(List.of(l.cross.attention, l.cross.block));
            }
            sites.addAll(List.of(l.up, l.down, l.norm, l.feedForwardBlock, l.layer));
        }
        if (last != null) {
            sites.add(last);
        }
        return sites;
    }

    private static void add(List<Site> sites, Projections p) {
        sites.addAll(List.of(p.k, p.v, p.q, p.out, p.norm));
    }
}
