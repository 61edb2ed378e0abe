package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Backbone;
import dev.graft.models.Task;
import dev.graft.models.attention.AttentionMask;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.functions.Activation;
import dev.graft.models.heads.Head;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.layers.InputEmbeddings;
import dev.graft.models.layers.LayerOps;
import dev.graft.models.layers.Recurrence;
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
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * RWKV-4 (Peng et al., 2023): a decoder that reads a text token by token and keeps a state in place of keys and values. With h the residual
 * stream {@code [batch, seq, hidden]}, x = norm(h), and mix a weighted mean of x and of x at the position before, a layer is
 *
 * <pre>{@code
 * h = h + output(σ(receptance(mix(x))) ⊙ wkv(key(mix(x)), value(mix(x))))     see WeightedKeyValue
 * h = h + σ(receptance(mix(x))) ⊙ value(relu(key(mix(x)))²)
 * }</pre>
 *
 * transformers halves the stream every {@code rescale_every} layers outside training. A norm cancels that, except in its epsilon. Here the
 * epsilon is larger by the same factor, also in training, and hidden states aren't halved.
 */
public final class Rwkv implements Backbone {
    private final Size size;
    private final Embedding tokens;
    private final Norm first;
    private final Stream stream;
    private final List<RwkvLayer> layers = new ArrayList<>();
    private final Norm last;

    /** The input of a block: norm(h), and the weights that mix it with its value at the position before. */
    private record MixedInput(String name, Norm norm, List<Tensor> mixes) {}

    private record RwkvLayer(
            MixedInput attentionReader,
            Linear key,
            Linear value,
            Linear receptance,
            WeightedKeyValue weighted,
            Linear output,
            Block attentionBlock,
            MixedInput feedForwardReader,
            Linear up,
            Linear gate,
            Linear down,
            Block feedForwardBlock,
            Layer layer) {}

    Rwkv(Fields f, Weights w, String prefix) {
        int hidden = f.integer("hidden_size", 4096, 1);
        int depth = f.integer("num_hidden_layers", 32, 1);
        size = new Size(f.integer("vocab_size", 50277), hidden, depth, 1, f.integer("context_length", 1024, 1));
        double eps = f.number("layer_norm_epsilon", 1e-5, 0, 1);
        int halved = f.integer("rescale_every", 6);
        tokens = w.tokenEmbedding(prefix + "embeddings", size.vocab(), hidden, -1);
        first = w.layerNorm(prefix + "blocks.0.pre_ln", 0, hidden, true, eps);
        stream = Stream.of(prefix, hidden);
        for (int i = 0; i < depth; i++) {
            layers.add(layer(f, w, prefix + "blocks." + i, i, eps(eps, i, halved)));
        }
        // Of this one layer_norm_epsilon says nothing.
        last = w.layerNorm(prefix + "ln_out", -1, hidden, true, eps(1e-5, depth, halved));
    }

    /** Returns the epsilon of a norm behind that number of layers. */
    private static double eps(double eps, int layers, int halved) {
        return halved > 0 ? eps * Math.pow(4, layers / halved) : eps;
    }

    private RwkvLayer layer(Fields f, Weights w, String name, int i, double eps) {
        int h = size.hidden();
        Integer attended = f.integerOrNull("attention_hidden_size", 1, Integer.MAX_VALUE);
        Integer intermediate = f.integerOrNull("intermediate_size", 1, Integer.MAX_VALUE);
        int a = attended == null ? h : attended;
        int inner = intermediate == null ? 4 * h : intermediate;
        String attention = name + ".attention";
        String feedForward = name + ".feed_forward";
        return new RwkvLayer(
                reader(w, attention, w.layerNorm(name + ".ln1", i, h, true, eps), "key", "value", "receptance"),
                w.linear(attention + ".key", Role.KEY, i, a, h, false),
                w.linear(attention + ".value", Role.VALUE, i, a, h, false),
                w.linear(attention + ".receptance", Role.QUERY, i, a, h, false),
                new WeightedKeyValue(w.vector(attention + ".time_decay", a), w.vector(attention + ".time_first", a)),
                w.linear(attention + ".output", Role.OUTPUT, i, h, a, false),
                new Block(name + ".attention_adapters", i, Block.Kind.ATTENTION, h, null),
                reader(w, feedForward, w.layerNorm(name + ".ln2", i, h, true, eps), "key", "receptance"),
                w.linear(feedForward + ".key", Role.UP, i, inner, h, false),
                w.linear(feedForward + ".receptance", Role.GATE, i, h, h, false),
                w.linear(feedForward + ".value", Role.DOWN, i, h, inner, false),
                new Block(name + ".output_adapters", i, Block.Kind.FEED_FORWARD, h, null),
                new Layer(name, i, h));
    }

    private MixedInput reader(Weights w, String block, Norm norm, String... mixed) {
        List<Tensor> mixes = new ArrayList<>();
        for (String each : mixed) {
            mixes.add(w.get(block + ".time_mix_" + each, w.numerics().small(), 1, 1, size.hidden()));
        }
        return new MixedInput(block, norm, mixes);
    }

    @Override
    public HiddenStates forward(Inputs in, ForwardPass pass) {
        ScalarType base = layers.get(0).output.type();
        ScalarType small = first.weight().scalar_type();
        Tensor rows = pass.segment(() ->
                new Tensor[] {InputEmbeddings.of(tokens, in, small, pass).rows()})[0];
        AttentionMask mask = AttentionMask.of(null, false, base, pass);
        Tensor h = LayerOps.enterLayers(pass, stream, LayerOps.norm(pass, first, rows, small));
        Recurrence recurrence = Recurrence.of(pass);
        for (RwkvLayer layer : layers) {
            Tensor input = h;
            h = pass.layer(() -> forward(layer, input, recurrence, base, pass));
            pass.collect(h);
        }
        h = pass.hooks().norm(last, h, pass);
        pass.collect(h);
        mask.end(pass);
        return pass.result(h);
    }

    private static Tensor forward(RwkvLayer layer, Tensor h, Recurrence recurrence, ScalarType base, ForwardPass pass) {
        Tensor[] x = mixed(layer.attentionReader, h, recurrence, base, pass);
        Tensor key = LayerOps.linear(pass, layer.key, x[0]);
        Tensor value = LayerOps.linear(pass, layer.value, x[1]);
        Tensor weighted = recurrence.read(layer.output.name(), layer.weighted, key, value);
        Tensor attended = gated(LayerOps.linear(pass, layer.receptance, x[2]), weighted, base, pass);
        Tensor middle = LayerOps.add(pass, layer.attentionBlock, h, LayerOps.linear(pass, layer.output, attended));

        x = mixed(layer.feedForwardReader, middle, recurrence, base, pass);
        Tensor forwarded = LayerOps.downProjection(
                pass, layer.down, Activation.RELU_SQUARED, LayerOps.linear(pass, layer.up, x[0]), null);
        Tensor out = gated(LayerOps.linear(pass, layer.gate, x[1]), forwarded, base, pass);
        return LayerOps.leaveLayer(pass, layer.layer, LayerOps.add(pass, layer.feedForwardBlock, middle, out));
    }

    /** Returns the mixes of a block, {@code [batch, seq, hidden]} each. */
    private static Tensor[] mixed(
            MixedInput mixedInput, Tensor h, Recurrence recurrence, ScalarType base, ForwardPass pass) {
        Tensor x =
                LayerOps.norm(pass, mixedInput.norm, h, mixedInput.norm.weight().scalar_type());
        Tensor before = recurrence.read(mixedInput.name, new TokenShift(), x);
        return pass.segment(() -> mixedInput.mixes.stream()
                .map(mix -> Ops.to(before.lerp(x, mix), base))
                .toArray(Tensor[]::new));
    }

    private static Tensor gated(Tensor gate, Tensor x, ScalarType base, ForwardPass pass) {
        return pass.segment(() -> new Tensor[] {Ops.to(gate.sigmoid().mul(x), base)})[0];
    }

    @Override
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>(List.of(tokens, first, stream));
        for (RwkvLayer l : layers) {
            sites.addAll(List.of(l.attentionReader.norm, l.feedForwardReader.norm));
            sites.addAll(List.of(l.key, l.value, l.receptance, l.output, l.attentionBlock));
            sites.addAll(List.of(l.up, l.gate, l.down, l.feedForwardBlock, l.layer));
        }
        sites.add(last);
        return sites;
    }

    @Override
    public boolean isRecurrent() {
        return true;
    }

    @Override
    public Size size() {
        return size;
    }

    /** Reads {@code model_type: rwkv}. */
    public static final class Family extends CausalFamily {
        /** Creates one for {@link java.util.ServiceLoader}. */
        public Family() {
            super("rwkv", "Rwkv", "rwkv.");
        }

        @Override
        public Set<Task> tasks() {
            return EnumSet.of(Task.FEATURE_EXTRACTION, Task.CAUSAL_LM);
        }

        @Override
        public Model build(Fields f, Weights w, HeadSpec spec) {
            Rwkv rwkv = new Rwkv(f, w, before(spec));
            boolean tied = f.bool("tie_word_embeddings", false);
            return new Model(
                    rwkv,
                    spec.task() == Task.CAUSAL_LM
                            ? new Head.PerToken(CausalHeads.vocabulary(w, "head", rwkv.tokens, tied, false))
                            : new Head.NoHead(List.of()));
        }
    }
}
