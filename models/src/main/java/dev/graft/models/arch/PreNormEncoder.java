package dev.graft.models.arch;

import dev.graft.models.attention.AttentionMask;
import dev.graft.models.attention.ScaledDotProductAttention;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.functions.Activation;
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
import dev.graft.models.weights.Weights;
import dev.graft.tensor.Ops;
import dev.graft.tensor.ops.Dropout;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The common layers of image and text towers, under different names (Dosovitskiy et al., 2021; Radford et al., 2021):
 *
 * <pre>{@code
 * x = norm(h);  h = h + o(attend(q(x), k(x), v(x)))
 * x = norm(h);  h = h + down(activation(up(x)))       or down(activation(gate(x)) ⊙ up(x))
 * }</pre>
 */
final class PreNormEncoder {
    private final Config shape;
    private final List<EncoderLayer> layers = new ArrayList<>();

    /**
     * The names of the parts of a layer.
     *
     * @param attention the module that contains the four projections
     * @param scales the suffixes of the names of two vectors that scale the outputs of the blocks, or null for none
     */
    record Names(
            String attentionNorm,
            String attention,
            String output,
            String feedForwardNorm,
            @Nullable Scales scales) {}

    /** The names of the vectors that scale the outputs of attention and the feed-forward block. */
    record Scales(String attention, String feedForward) {}

    /**
     * The names of a feed-forward block of three matrices, {@code down(activation(gate(x)) ⊙ up(x))}.
     *
     * @param fused the name in files of gate and up in one
     */
    record Gated(String gate, String up, String down, String fused) {}

    /** @param gated null for a feed-forward block of two matrices */
    record Config(
            int hidden,
            int heads,
            int intermediate,
            int layers,
            Activation activation,
            double eps,
            boolean projectionBias,
            double dropout,
            double attentionDropout,
            @Nullable Gated gated) {
        Config(
                int hidden,
                int heads,
                int intermediate,
                int layers,
                Activation activation,
                double eps,
                boolean projectionBias,
                double dropout,
                double attentionDropout) {
            this(hidden, heads, intermediate, layers, activation, eps, projectionBias, dropout, attentionDropout, null);
        }
    }

    private record EncoderLayer(
            Norm attentionNorm,
            Attention attention,
            Linear q,
            Linear k,
            Linear v,
            Linear o,
            @Nullable Tensor attentionScale,
            Block attentionBlock,
            Norm feedForwardNorm,
            @Nullable Linear gate,
            Linear up,
            Linear down,
            @Nullable Tensor feedForwardScale,
            Block feedForwardBlock,
            Layer layer) {
        List<Site> sites() {
            List<Site> sites =
                    new ArrayList<>(List.of(attentionNorm, q, k, v, attention, o, attentionBlock, feedForwardNorm));
            if (gate != null) {
                sites.add(gate);
            }
            sites.addAll(List.of(up, down, feedForwardBlock, layer));
            return sites;
        }
    }

    /** @param prefix the name of the list of layers, with a trailing dot */
    PreNormEncoder(Weights w, String prefix, Names names, Config shape) {
        this.shape = shape;
        int h = shape.hidden;
        for (int i = 0; i < shape.layers; i++) {
            String l = prefix + i + ".";
            String a = l + names.attention;
            Scales scales = names.scales;
            Gated gated = shape.gated;
            layers.add(new EncoderLayer(
                    norm(w, l + names.attentionNorm, i, h, shape.eps),
                    new Attention(a, i, shape.heads, h / shape.heads),
                    linear(w, a + ".q_proj", Role.QUERY, i, h, h, shape.projectionBias),
                    linear(w, a + ".k_proj", Role.KEY, i, h, h, shape.projectionBias),
                    linear(w, a + ".v_proj", Role.VALUE, i, h, h, shape.projectionBias),
                    linear(w, a + "." + names.output, Role.OUTPUT, i, h, h, true),
                    scales == null ? null : w.vector(l + scales.attention, h),
                    new Block(l + "attention_adapters", i, Block.Kind.ATTENTION, h, null),
                    norm(w, l + names.feedForwardNorm, i, h, shape.eps),
                    gated == null ? null : part(w, l, gated, 0, i),
                    gated == null
                            ? linear(w, l + "mlp.fc1", Role.UP, i, shape.intermediate, h, true)
                            : part(w, l, gated, 1, i),
                    linear(w, l + (gated == null ? "mlp.fc2" : gated.down), Role.DOWN, i, h, shape.intermediate, true),
                    scales == null ? null : w.vector(l + scales.feedForward, h),
                    new Block(l + "output_adapters", i, Block.Kind.FEED_FORWARD, h, null),
                    new Layer(prefix + i, i, h)));
        }
    }

    private Linear part(Weights w, String layer, Gated gated, int index, int i) {
        String name = layer + (index == 0 ? gated.gate : gated.up);
        for (String end : List.of(".weight", ".bias")) {
            w.part(name + end, layer + gated.fused + end, index, 2);
        }
        return linear(w, name, index == 0 ? Role.GATE : Role.UP, i, shape.intermediate, shape.hidden, true);
    }

    static Norm norm(Weights w, String name, int layer, int size, double eps) {
        return new Norm(
                name, layer, Norm.Kind.LAYER, w.vector(name + ".weight", size), w.vector(name + ".bias", size), eps);
    }

    static Linear linear(Weights w, String name, Role role, int layer, int out, int in, boolean bias) {
        return w.linear(name, role, layer, out, in, bias);
    }

    /** Embeds tokens and adds a learned embedding of each position, {@code [batch, seq, hidden]}. */
    static Tensor embedded(Embedding tokens, Embedding positions, Inputs in, ScalarType type, ForwardPass pass) {
        return pass.segment(() -> {
            InputEmbeddings embeddings = InputEmbeddings.of(tokens, in, type, pass);
            Tensor places = embeddings.positions().expand(in.rows(), -1);
            return new Tensor[] {embeddings.rows().add(Ops.to(pass.hooks().embedding(positions, places, pass), type))};
        })[0];
    }

    /**
     * Runs all layers on h {@code [batch, seq, hidden]} under the mask of the pass; collects the input of each layer.
     */
    Tensor forward(Tensor start, boolean causal, ForwardPass pass) {
        ScalarType small = start.scalar_type();
        AttentionMask mask = AttentionMask.of(layers.get(0).attention, causal, small, pass);
        return LayerOps.layers(pass, layers, start, (layer, h) -> forward(layer, h, mask, pass));
    }

    private Tensor forward(EncoderLayer layer, Tensor h, AttentionMask mask, ForwardPass pass) {
        ScalarType base = layer.q.type();
        Tensor x = LayerOps.norm(pass, layer.attentionNorm, h, base);
        boolean first = !mask.causal()
                && layer == layers.get(layers.size() - 1)
                && LayerOps.mayReadFirstOnly(pass, layer.sites());
        Tensor residual = first ? LayerOps.first(pass, h) : h;
        Tensor q = LayerOps.splitHeads(
                pass, LayerOps.linear(pass, layer.q, first ? LayerOps.first(pass, x) : x), shape.heads, null);
        Tensor k = LayerOps.splitHeads(pass, LayerOps.linear(pass, layer.k, x), shape.heads, null);
        Tensor v = LayerOps.splitHeads(pass, LayerOps.linear(pass, layer.v, x), shape.heads, null);
        Tensor attended =
                ScaledDotProductAttention.attend(layer.attention, q, k, v, mask, shape.attentionDropout, pass);
        Tensor out = scaled(LayerOps.linear(pass, layer.o, attended), layer.attentionScale, pass);
        Tensor middle = LayerOps.add(pass, layer.attentionBlock, residual, out);

        Tensor y = LayerOps.norm(pass, layer.feedForwardNorm, middle, base);
        Tensor inner = layer.gate == null
                ? LayerOps.activate(pass, shape.activation, LayerOps.linear(pass, layer.up, y))
                : LayerOps.gated(
                        pass,
                        shape.activation,
                        LayerOps.linear(pass, layer.gate, y),
                        LayerOps.linear(pass, layer.up, y));
        Tensor down = scaled(LayerOps.linear(pass, layer.down, inner), layer.feedForwardScale, pass);
        return LayerOps.leaveLayer(pass, layer.layer, LayerOps.add(pass, layer.feedForwardBlock, middle, down));
    }

    private Tensor scaled(Tensor x, @Nullable Tensor scale, ForwardPass pass) {
        boolean drops = pass.isTraining() && shape.dropout > 0;
        if (scale == null && !drops) {
            return x;
        }
        return pass.segment(() ->
                new Tensor[] {Dropout.apply(scale == null ? x : x.mul(scale), shape.dropout, pass.isTraining())})[0];
    }

    void addSites(List<Site> sites) {
        layers.forEach(layer -> sites.addAll(layer.sites()));
    }
}
