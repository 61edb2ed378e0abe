package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.models.Activation;
import dev.graft.models.Architecture;
import dev.graft.models.Attend;
import dev.graft.models.AttentionMask;
import dev.graft.models.Backbone;
import dev.graft.models.Embedded;
import dev.graft.models.Hidden;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.Task;
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
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * GPT-2 (Radford et al., 2019): a pre-norm decoder with learned positions. One layer gives queries, keys and values; checkpoints hold all
 * its matrices as {@code [in, out]}. With h the residual stream {@code [batch, seq, hidden]}, a layer is
 *
 * <pre>{@code
 * q, k, v = c_attn(ln_1(h));  h = h + c_proj(attend(q, k, v))
 * h = h + mlp.c_proj(gelu(c_fc(ln_2(h))))
 * }</pre>
 */
public final class Gpt2 implements Backbone {
    private final Config config;
    private final Embedding tokens;
    private final Embedding positions;
    private final Stream stream;
    private final List<DecoderLayer> layers = new ArrayList<>();
    private final Norm norm;

    private record Config(
            Size size,
            int intermediate,
            int padding,
            Activation activation,
            double eps,
            boolean scaled,
            boolean scaledByLayer,
            double embeddingDropout,
            double attentionDropout,
            double residualDropout) {
        double scale(int layer) {
            double scale = scaled ? 1 / Math.sqrt((double) size.hidden() / size.heads()) : 1;
            return scaledByLayer ? scale / (layer + 1) : scale;
        }
    }

    private record DecoderLayer(
            Norm attentionNorm,
            Attention attention,
            Linear qkv,
            Linear output,
            Block attentionBlock,
            Norm feedForwardNorm,
            Linear up,
            Linear down,
            Block feedForwardBlock,
            Layer layer) {}

    private Gpt2(Config config, Weights w, String prefix) {
        this.config = config;
        int h = config.size.hidden();
        tokens = w.tokens(prefix + "wte", config.size.vocab(), h, config.padding);
        positions = w.embedding(prefix + "wpe", config.size.positions(), h);
        stream = Stream.of(prefix, h);
        for (int i = 0; i < config.size.layers(); i++) {
            String name = prefix + "h." + i;
            String l = name + ".";
            layers.add(new DecoderLayer(
                    w.layerNorm(l + "ln_1", i, h, true, config.eps),
                    new Attention(l + "attn", i, config.size.heads(), h / config.size.heads(), config.scale(i)),
                    w.transposedLinear(l + "attn.c_attn", Role.QUERY_KEY_VALUE, i, 3L * h, h),
                    w.transposedLinear(l + "attn.c_proj", Role.OUTPUT, i, h, h),
                    new Block(l + "attention_adapters", i, Block.Kind.ATTENTION, h, null),
                    w.layerNorm(l + "ln_2", i, h, true, config.eps),
                    w.transposedLinear(l + "mlp.c_fc", Role.UP, i, config.intermediate, h),
                    w.transposedLinear(l + "mlp.c_proj", Role.DOWN, i, h, config.intermediate),
                    new Block(l + "output_adapters", i, Block.Kind.FEED_FORWARD, h, null),
                    new Layer(name, i, h)));
        }
        norm = w.layerNorm(prefix + "ln_f", -1, h, true, config.eps);
    }

    @Override
    public boolean packs() {
        return true;
    }

    @Override
    public Hidden hidden(Inputs in, Pass pass) {
        ScalarType small = norm.weight().scalar_type();
        ScalarType base = layers.get(0).qkv.type();
        Tensor[] start = pass.piece(() -> {
            Embedded embedded = Embedded.of(tokens, in, small, pass);
            return new Tensor[] {embedded.rows(), embedded.positions()};
        });
        AttentionMask mask = AttentionMask.of(layers.get(0).attention, true, base, pass);
        Tensor shift = mask.shift();
        Tensor places = (shift == null ? start[1] : start[1].add(shift)).expand(in.rows(), -1);
        Tensor[] sums = pass.piece(() -> {
            Tensor sum = start[0].add(Ops.to(pass.hooks().embedding(positions, places, pass), small));
            return new Tensor[] {Ops.dropout(sum, config.embeddingDropout, pass.isTraining())};
        });
        Tensor h = pass.enter(stream, sums[0]);
        for (DecoderLayer layer : layers) {
            pass.collect(h);
            Tensor input = h;
            h = pass.layer(() -> forward(layer, input, mask, pass));
        }
        h = pass.hooks().norm(norm, h, pass);
        pass.collect(h);
        pass.end(mask);
        return pass.result(h);
    }

    private Tensor forward(DecoderLayer layer, Tensor h, AttentionMask mask, Pass pass) {
        ScalarType base = layer.qkv.type();
        Tensor[] qkv =
                pass.split(pass.linears(layer.attentionNorm, h, base, layer.qkv)[0], h.size(2), h.size(2), h.size(2));
        Tensor q = pass.heads(qkv[0], config.size.heads(), null);
        Tensor k = pass.heads(qkv[1], config.size.heads(), null);
        Tensor v = pass.heads(qkv[2], config.size.heads(), null);
        Tensor attended = Attend.attend(layer.attention, q, k, v, mask, config.attentionDropout, pass);
        Tensor out = pass.dropout(pass.linear(layer.output, attended), config.residualDropout);
        Tensor middle = pass.add(layer.attentionBlock, h, out);

        Tensor up = pass.linears(layer.feedForwardNorm, middle, base, layer.up)[0];
        Tensor down = pass.down(layer.down, config.activation, up, null);
        Tensor result = pass.add(layer.feedForwardBlock, middle, pass.dropout(down, config.residualDropout));
        return pass.leave(layer.layer, result);
    }

    @Override
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>(List.of(tokens, positions, stream));
        for (DecoderLayer l : layers) {
            sites.addAll(List.of(
                    l.attentionNorm,
                    l.qkv,
                    l.attention,
                    l.output,
                    l.attentionBlock,
                    l.feedForwardNorm,
                    l.up,
                    l.down,
                    l.feedForwardBlock,
                    l.layer));
        }
        sites.add(norm);
        return sites;
    }

    @Override
    public Size size() {
        return config.size;
    }

    /** Reads {@code model_type: gpt2}. */
    public static final class Family implements Architecture {
        @Override
        public String modelType() {
            return "gpt2";
        }

        @Override
        public String stem() {
            return "GPT2";
        }

        @Override
        public String className(Task task) {
            return task == Task.CAUSAL_LM ? "GPT2LMHeadModel" : Architecture.super.className(task);
        }

        @Override
        public String prefix() {
            return "transformer.";
        }

        @Override
        public Set<Task> tasks() {
            return CausalHeads.TASKS;
        }

        @Override
        public Model build(Fields config, Weights weights, HeadSpec spec) {
            Gpt2 gpt2 = new Gpt2(read(config), weights, spec.task() == Task.FEATURE_EXTRACTION ? "" : prefix());
            boolean tied = config.bool("tie_word_embeddings", true);
            double dropout = CausalHeads.dropout(config);
            return new Model(gpt2, CausalHeads.of(weights, spec, gpt2.tokens, tied, "classifier", dropout));
        }

        private static Config read(Fields f) {
            if (f.bool("add_cross_attention", false)) {
                throw new FormatException(
                        f.source(), "add_cross_attention is true: only decoders alone are supported", null);
            }
            int hidden = f.integer("n_embd", 768);
            int heads = f.integer("n_head", 12);
            if (heads < 1 || hidden % heads != 0) {
                throw f.wrong("n_head", "a divisor of n_embd " + hidden);
            }
            Integer inner = f.integerOrNull("n_inner");
            // The same product in another order, for fp16.
            f.bool("reorder_and_upcast_attn", false);
            return new Config(
                    new Size(
                            f.integer("vocab_size", 50257),
                            hidden,
                            f.integer("n_layer", 12),
                            heads,
                            f.integer("n_positions", 1024)),
                    inner == null ? 4 * hidden : inner,
                    -1,
                    Activation.read(f, "activation_function", "gelu_new"),
                    f.number("layer_norm_epsilon", 1e-5),
                    f.bool("scale_attn_weights", true),
                    f.bool("scale_attn_by_inverse_layer_idx", false),
                    f.number("embd_pdrop", 0.1),
                    f.number("attn_pdrop", 0.1),
                    f.number("resid_pdrop", 0.1));
        }
    }
}
