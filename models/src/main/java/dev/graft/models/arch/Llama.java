package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.models.Activation;
import dev.graft.models.Architecture;
import dev.graft.models.Attend;
import dev.graft.models.AttentionMask;
import dev.graft.models.Backbone;
import dev.graft.models.Embedded;
import dev.graft.models.Head;
import dev.graft.models.Hidden;
import dev.graft.models.Inputs;
import dev.graft.models.KvCache;
import dev.graft.models.Pass;
import dev.graft.models.Rope;
import dev.graft.models.Task;
import dev.graft.models.Weights;
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
import dev.graft.tensor.Rng;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Llama (Touvron et al., 2023): a pre-norm decoder with rotary positions, grouped queries and a gated feed-forward block. With h the
 * residual stream {@code [batch, seq, hidden]}, a layer is
 *
 * <pre>{@code
 * x = norm(h);  h = h + o(attend(rope(q(x)), rope(k(x)), v(x)))
 * x = norm(h);  h = h + down(silu(gate(x)) * up(x))
 * }</pre>
 */
public final class Llama implements Backbone {
    private final Config config;
    private final Embedding tokens;
    private final Stream stream;
    private final List<DecoderLayer> layers = new ArrayList<>();
    private final Norm norm;

    private record Config(
            int vocab,
            int hidden,
            int layers,
            int heads,
            int kvHeads,
            int headDim,
            int intermediate,
            int positions,
            double eps,
            double attentionDropout,
            boolean attentionBias,
            boolean mlpBias,
            int padding,
            Activation activation,
            Rope rope) {}

    private record DecoderLayer(
            Norm attentionNorm,
            Attention attention,
            Linear q,
            Linear k,
            Linear v,
            Linear o,
            Block attentionBlock,
            Norm feedForwardNorm,
            Linear gate,
            Linear up,
            Linear down,
            Block feedForwardBlock,
            Layer layer) {}

    private Llama(Config config, Weights w, String prefix) {
        this.config = config;
        int h = config.hidden;
        tokens = new Embedding(
                prefix + "embed_tokens",
                w.matrix(prefix + "embed_tokens.weight", config.vocab, h),
                true,
                config.padding);
        stream = new Stream(prefix.replaceAll("\\.$", ""), h);
        int queries = config.heads * config.headDim;
        int keys = config.kvHeads * config.headDim;
        for (int i = 0; i < config.layers; i++) {
            String l = prefix + "layers." + i + ".";
            String a = l + "self_attn.";
            String m = l + "mlp.";
            layers.add(new DecoderLayer(
                    norm(w, l + "input_layernorm", i),
                    new Attention(l + "self_attn", i, config.kvHeads, config.headDim),
                    linear(w, a + "q_proj", Role.QUERY, i, queries, h, config.attentionBias),
                    linear(w, a + "k_proj", Role.KEY, i, keys, h, config.attentionBias),
                    linear(w, a + "v_proj", Role.VALUE, i, keys, h, config.attentionBias),
                    linear(w, a + "o_proj", Role.OUTPUT, i, h, queries, config.attentionBias),
                    new Block(l + "attention_adapters", i, Block.Kind.ATTENTION, h, null),
                    norm(w, l + "post_attention_layernorm", i),
                    linear(w, m + "gate_proj", Role.GATE, i, config.intermediate, h, config.mlpBias),
                    linear(w, m + "up_proj", Role.UP, i, config.intermediate, h, config.mlpBias),
                    linear(w, m + "down_proj", Role.DOWN, i, h, config.intermediate, config.mlpBias),
                    new Block(l + "output_adapters", i, Block.Kind.FEED_FORWARD, h, null),
                    new Layer(prefix + "layers." + i, i, h)));
        }
        norm = norm(w, prefix + "norm", -1);
    }

    private Norm norm(Weights w, String name, int layer) {
        return new Norm(name, layer, Norm.Kind.RMS, w.vector(name + ".weight", config.hidden), null, config.eps);
    }

    private static Linear linear(Weights w, String name, Role role, int layer, int out, int in, boolean bias) {
        return new Linear(
                name, role, layer, w.matrix(name + ".weight", out, in), bias ? w.bias(name + ".bias", out) : null);
    }

    @Override
    public Hidden hidden(Inputs in, Pass pass) {
        Hooks hooks = pass.hooks();
        ScalarType small = norm.weight().scalar_type();
        ScalarType base = layers.get(0).q.weight().scalar_type();
        Tensor[] start = pass.piece(() -> {
            Embedded embedded = Embedded.of(tokens, in, small, pass);
            return new Tensor[] {embedded.rows(), embedded.positions()};
        });
        AttentionMask mask = AttentionMask.of(layers.get(0).attention, true, small, pass);
        Tensor shift = mask.shift();
        Tensor positions = shift == null ? start[1] : start[1].add(shift);
        Rope.Angles angles = config.rope.at(positions, small).to(base);
        Tensor h = pass.enter(stream, start[0]);
        for (DecoderLayer layer : layers) {
            pass.collect(h);
            Tensor input = h;
            h = pass.layer(() -> forward(layer, input, mask, angles, pass));
        }
        h = hooks.norm(norm, h, pass);
        pass.collect(h);
        KvCache cache = pass.cache();
        if (cache != null) {
            cache.advance(mask.keys());
        }
        return pass.result(h);
    }

    private Tensor forward(DecoderLayer layer, Tensor h, AttentionMask mask, Rope.Angles angles, Pass pass) {
        ScalarType base = layer.q.weight().scalar_type();
        Tensor x = pass.norm(layer.attentionNorm, h, base);
        Tensor q = pass.heads(pass.linear(layer.q, x), config.heads, angles);
        Tensor k = pass.heads(pass.linear(layer.k, x), config.kvHeads, angles);
        Tensor v = pass.heads(pass.linear(layer.v, x), config.kvHeads, null);
        Tensor attended = Attend.attend(layer.attention, q, k, v, mask, config.attentionDropout, pass);
        Tensor middle = pass.add(layer.attentionBlock, h, pass.linear(layer.o, attended));

        Tensor y = pass.norm(layer.feedForwardNorm, middle, base);
        Tensor gated = pass.gated(config.activation, pass.linear(layer.gate, y), pass.linear(layer.up, y));
        Tensor result = pass.add(layer.feedForwardBlock, middle, pass.linear(layer.down, gated));
        return pass.leave(layer.layer, result);
    }

    @Override
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>(List.of(tokens, stream));
        for (DecoderLayer l : layers) {
            sites.addAll(List.of(
                    l.q,
                    l.k,
                    l.v,
                    l.o,
                    l.attention,
                    l.attentionBlock,
                    l.gate,
                    l.up,
                    l.down,
                    l.attentionNorm,
                    l.feedForwardNorm,
                    l.feedForwardBlock,
                    l.layer));
        }
        sites.add(norm);
        return sites;
    }

    @Override
    public int hiddenSize() {
        return config.hidden;
    }

    @Override
    public int layers() {
        return config.layers;
    }

    @Override
    public int maxPositions() {
        return config.positions;
    }

    @Override
    public int vocabSize() {
        return config.vocab;
    }

    /** Reads {@code model_type: llama}. */
    public static final class Family implements Architecture {
        @Override
        public String modelType() {
            return "llama";
        }

        @Override
        public String prefix() {
            return "model.";
        }

        @Override
        public Set<Task> tasks() {
            return EnumSet.of(Task.FEATURE_EXTRACTION, Task.SEQ_CLS, Task.CAUSAL_LM);
        }

        @Override
        public Task task(String className) {
            return switch (className) {
                case "LlamaForCausalLM" -> Task.CAUSAL_LM;
                case "LlamaForSequenceClassification" -> Task.SEQ_CLS;
                default -> Task.FEATURE_EXTRACTION;
            };
        }

        @Override
        public String className(Task task) {
            return switch (task) {
                case CAUSAL_LM -> "LlamaForCausalLM";
                case SEQ_CLS -> "LlamaForSequenceClassification";
                default -> "LlamaModel";
            };
        }

        @Override
        public Model build(Fields config, Weights weights, HeadSpec spec) {
            Config c = read(config);
            String prefix = spec.task() == Task.FEATURE_EXTRACTION ? "" : prefix();
            Llama llama = new Llama(c, weights, prefix);
            return new Model(llama, llama.head(weights, spec, tied(config, weights)));
        }

        private static boolean tied(Fields config, Weights weights) {
            return config.bool("tie_word_embeddings", false) && !weights.isOverridden("lm_head.weight");
        }

        private static Config read(Fields f) {
            int hidden = f.integer("hidden_size");
            int heads = f.integer("num_attention_heads");
            int kvHeads = f.integer("num_key_value_heads", heads);
            if (kvHeads < 1 || heads % kvHeads != 0) {
                throw f.wrong("num_key_value_heads", "a divisor of num_attention_heads " + heads);
            }
            if (f.integer("pretraining_tp", 1) != 1) {
                throw f.wrong("pretraining_tp", "1");
            }
            Integer headDim = f.integerOrNull("head_dim");
            int dim = headDim == null ? hidden / heads : headDim;
            return new Config(
                    f.integer("vocab_size"),
                    hidden,
                    f.integer("num_hidden_layers"),
                    heads,
                    kvHeads,
                    dim,
                    f.integer("intermediate_size"),
                    f.integer("max_position_embeddings", 2048),
                    f.number("rms_norm_eps", 1e-6),
                    f.number("attention_dropout", 0.0),
                    f.bool("attention_bias", false),
                    f.bool("mlp_bias", false),
                    Embedding.padding(f, -1),
                    Activation.of(f.source(), f.string("hidden_act", "silu")),
                    Rope.read(f, dim));
        }
    }

    private Head head(Weights w, Architecture.HeadSpec spec, boolean tied) {
        int h = config.hidden;
        return switch (spec.task()) {
            case FEATURE_EXTRACTION -> new Head.None(List.of());
            case CAUSAL_LM -> {
                if (!tied && !w.has("lm_head.weight")) {
                    throw new FormatException(
                            "config.json",
                            "tie_word_embeddings is false, but the checkpoint has no lm_head.weight",
                            null);
                }
                Tensor weight = tied ? tokens.weight() : w.matrix("lm_head.weight", config.vocab, h);
                yield new Head.PerToken(new Linear("lm_head", Role.HEAD, -1, weight, null));
            }
            case SEQ_CLS ->
                new Head.Sequence(
                        Head.Pooling.LAST,
                        null,
                        0,
                        new Linear(
                                "score",
                                Role.HEAD,
                                -1,
                                w.orFresh(
                                        "score.weight",
                                        () -> Rng.of(spec.seed(), "score.weight")
                                                .normal(0, 0.02, spec.labels(), h),
                                        spec.labels(),
                                        h),
                                null));
            case TOKEN_CLS, QUESTION_ANS, MASKED_LM ->
                throw new IllegalArgumentException("Llama has no head for " + spec.task());
        };
    }
}
