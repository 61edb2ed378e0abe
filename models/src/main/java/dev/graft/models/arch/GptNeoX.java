package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Activation;
import dev.graft.models.Architecture;
import dev.graft.models.Attend;
import dev.graft.models.AttentionMask;
import dev.graft.models.Backbone;
import dev.graft.models.Embedded;
import dev.graft.models.Hidden;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.Rope;
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
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * GPT-NeoX (Black et al., 2022) and Pythia: a pre-norm decoder that turns the first part of each head by its position. One layer gives the
 * queries, keys and values of a head after those of the head before. Both blocks read the same stream and are added together, unless
 * {@code use_parallel_residual} is false.
 *
 * <pre>{@code
 * h = h + dense(attend(rope(q), rope(k), v)) + dense_4h_to_h(gelu(dense_h_to_4h(norm(h))))   with q, k, v = query_key_value(norm(h))
 * }</pre>
 */
public final class GptNeoX implements Backbone {
    private final Config config;
    private final Embedding tokens;
    private final Stream stream;
    private final List<DecoderLayer> layers = new ArrayList<>();
    private final Norm norm;

    private record Config(
            Size size,
            int intermediate,
            Activation activation,
            double eps,
            boolean attentionBias,
            boolean parallel,
            double attentionDropout,
            double hiddenDropout,
            Rope rope) {
        int headDim() {
            return size.hidden() / size.heads();
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

    private GptNeoX(Config config, Weights w, String prefix) {
        this.config = config;
        int h = config.size.hidden();
        tokens = w.tokens(prefix + "embed_in", config.size.vocab(), h, -1);
        stream = Stream.of(prefix, h);
        for (int i = 0; i < config.size.layers(); i++) {
            String name = prefix + "layers." + i;
            String l = name + ".";
            layers.add(new DecoderLayer(
                    w.layerNorm(l + "input_layernorm", i, h, true, config.eps),
                    new Attention(l + "attention", i, config.size.heads(), config.headDim()),
                    w.linear(l + "attention.query_key_value", Role.QUERY_KEY_VALUE, i, 3L * h, h, config.attentionBias),
                    w.linear(l + "attention.dense", Role.OUTPUT, i, h, h, config.attentionBias),
                    new Block(l + "attention_adapters", i, Block.Kind.ATTENTION, h, null),
                    w.layerNorm(l + "post_attention_layernorm", i, h, true, config.eps),
                    w.linear(l + "mlp.dense_h_to_4h", Role.UP, i, config.intermediate, h, true),
                    w.linear(l + "mlp.dense_4h_to_h", Role.DOWN, i, h, config.intermediate, true),
                    new Block(l + "output_adapters", i, Block.Kind.FEED_FORWARD, h, null),
                    new Layer(name, i, h)));
        }
        norm = w.layerNorm(prefix + "final_layer_norm", -1, h, true, config.eps);
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
        AttentionMask mask = AttentionMask.of(layers.get(0).attention, true, small, pass);
        Tensor shift = mask.shift();
        Rope.Angles angles = config.rope
                .at(shift == null ? start[1] : start[1].add(shift), small, pass.cache())
                .to(base);
        Tensor h = pass.enter(stream, pass.dropout(start[0], config.hiddenDropout));
        for (DecoderLayer layer : layers) {
            pass.collect(h);
            Tensor input = h;
            h = pass.layer(() -> forward(layer, input, mask, angles, base, pass));
        }
        h = pass.hooks().norm(norm, h, pass);
        pass.collect(h);
        pass.end(mask);
        return pass.result(h);
    }

    private Tensor forward(
            DecoderLayer layer, Tensor h, AttentionMask mask, Rope.Angles angles, ScalarType base, Pass pass) {
        Tensor[] qkv = heads(pass.linear(layer.qkv, pass.norm(layer.attentionNorm, h, base)), pass);
        int heads = config.size.heads();
        Tensor attended = Attend.attend(
                layer.attention,
                pass.heads(qkv[0], heads, angles),
                pass.heads(qkv[1], heads, angles),
                pass.heads(qkv[2], heads, null),
                mask,
                config.attentionDropout,
                pass);
        Tensor out = pass.dropout(pass.linear(layer.output, attended), config.hiddenDropout);
        Tensor middle = pass.add(layer.attentionBlock, h, out);

        Tensor y = pass.norm(layer.feedForwardNorm, config.parallel ? h : middle, base);
        Tensor down = pass.linear(layer.down, pass.activate(config.activation, pass.linear(layer.up, y)));
        Tensor result = pass.add(layer.feedForwardBlock, middle, pass.dropout(down, config.hiddenDropout));
        return pass.leave(layer.layer, result);
    }

    /** Queries, keys and values, each with all its heads together, of what has those of one head after those of another. */
    private Tensor[] heads(Tensor x, Pass pass) {
        return pass.piece(() -> {
            Tensor split = x.view(x.size(0), x.size(1), config.size.heads(), 3, config.headDim());
            Tensor[] parts = new Tensor[3];
            for (int i = 0; i < 3; i++) {
                parts[i] = split.select(3, i).flatten(2, 3);
            }
            return parts;
        });
    }

    @Override
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>(List.of(tokens, stream));
        for (DecoderLayer l : layers) {
            sites.addAll(List.of(
                    l.attentionNorm,
                    l.feedForwardNorm,
                    l.qkv,
                    l.attention,
                    l.output,
                    l.attentionBlock,
                    l.up,
                    l.down,
                    l.feedForwardBlock,
                    l.layer));
        }
        sites.add(norm);
        return sites;
    }

    @Override
    public int steadyPositions() {
        return Math.min(maxPositions(), config.rope.steadyPositions());
    }

    @Override
    public boolean turnsAnew(long length, long other) {
        return config.rope.turnsAnew(length, other);
    }

    @Override
    public Size size() {
        return config.size;
    }

    /** Reads {@code model_type: gpt_neox}. */
    public static final class Family implements Architecture {
        @Override
        public String modelType() {
            return "gpt_neox";
        }

        @Override
        public String stem() {
            return "GPTNeoX";
        }

        @Override
        public String prefix() {
            return "gpt_neox.";
        }

        @Override
        public Set<Task> tasks() {
            return CausalHeads.TASKS;
        }

        @Override
        public Model build(Fields f, Weights w, HeadSpec spec) {
            GptNeoX model = new GptNeoX(read(f), w, spec.task() == Task.FEATURE_EXTRACTION ? "" : prefix());
            boolean tied = f.bool("tie_word_embeddings", false);
            // Checkpoints hold the vocabulary's head under its first name.
            if (spec.task() == Task.CAUSAL_LM && !tied && !w.has("lm_head.weight")) {
                w.renamed("lm_head.weight", "embed_out.weight", model.size().vocab(), model.hiddenSize());
            }
            double dropout = f.number("classifier_dropout", 0.1);
            return new Model(model, CausalHeads.of(w, spec, model.tokens, tied, "classifier", dropout));
        }

        private static Config read(Fields f) {
            Backbone.Size size = new Backbone.Size(
                    f.integer("vocab_size"),
                    f.integer("hidden_size"),
                    f.integer("num_hidden_layers"),
                    Encoder.heads(f, "num_attention_heads", "hidden_size"),
                    Rope.positions(f, 2048));
            return new Config(
                    size,
                    f.integer("intermediate_size"),
                    Activation.read(f, "hidden_act", "gelu"),
                    f.number("layer_norm_eps", 1e-5),
                    f.bool("attention_bias", true),
                    f.bool("use_parallel_residual", true),
                    f.number("attention_dropout", 0.0),
                    f.number("hidden_dropout", 0.0),
                    Rope.read(
                            f,
                            size.hidden() / size.heads(),
                            f.number("rotary_emb_base", 10_000),
                            f.number("rotary_pct", 0.25, 0, 1)));
        }
    }
}
