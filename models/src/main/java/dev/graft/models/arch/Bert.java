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
import dev.graft.models.Pass;
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
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * BERT (Devlin et al., 2019): a post-norm encoder. With h the residual stream {@code [batch, seq, hidden]}, a layer is
 *
 * <pre>{@code
 * h = LN(h + output(attend(query(h), key(h), value(h))))
 * h = LN(h + down(gelu(up(h))))
 * }</pre>
 */
public final class Bert implements Backbone {
    private final Config config;
    private final Embedding words;
    private final Embedding positions;
    private final Embedding types;
    private final Norm norm;
    private final Stream stream;
    private final List<EncoderLayer> layers = new ArrayList<>();
    private final @Nullable Linear pooler;

    private record Config(
            int vocab,
            int hidden,
            int layers,
            int heads,
            int intermediate,
            int positions,
            int types,
            int padding,
            Activation activation,
            double eps,
            double dropout,
            double attentionDropout) {}

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
            Layer layer) {}

    private Bert(Config config, Weights w, String prefix, boolean withPooler) {
        this.config = config;
        int h = config.hidden;
        String e = prefix + "embeddings.";
        words = new Embedding(
                e + "word_embeddings", w.matrix(e + "word_embeddings.weight", config.vocab, h), true, config.padding);
        positions = new Embedding(
                e + "position_embeddings", w.matrix(e + "position_embeddings.weight", config.positions, h), false);
        types = new Embedding(
                e + "token_type_embeddings", w.matrix(e + "token_type_embeddings.weight", config.types, h), false);
        norm = norm(w, e + "LayerNorm", -1);
        stream = new Stream(prefix.replaceAll("\\.$", ""), h);
        for (int i = 0; i < config.layers; i++) {
            String l = prefix + "encoder.layer." + i + ".";
            Norm attentionNorm = norm(w, l + "attention.output.LayerNorm", i);
            Norm feedForwardNorm = norm(w, l + "output.LayerNorm", i);
            layers.add(new EncoderLayer(
                    new Attention(l + "attention.self", i, config.heads, h / config.heads),
                    linear(w, l + "attention.self.query", Role.QUERY, i, h, h),
                    linear(w, l + "attention.self.key", Role.KEY, i, h, h),
                    linear(w, l + "attention.self.value", Role.VALUE, i, h, h),
                    linear(w, l + "attention.output.dense", Role.OUTPUT, i, h, h),
                    new Block(l + "attention.output", i, Block.Kind.ATTENTION, h, attentionNorm),
                    attentionNorm,
                    linear(w, l + "intermediate.dense", Role.UP, i, config.intermediate, h),
                    linear(w, l + "output.dense", Role.DOWN, i, h, config.intermediate),
                    new Block(l + "output", i, Block.Kind.FEED_FORWARD, h, feedForwardNorm),
                    feedForwardNorm,
                    new Layer(prefix + "encoder.layer." + i, i, h)));
        }
        String p = prefix + "pooler.dense";
        pooler = withPooler && w.has(p + ".weight") ? linear(w, p, Role.POOLER, -1, h, h) : null;
    }

    private Norm norm(Weights w, String name, int layer) {
        // Checkpoints of 2018 to 2020 call the two gamma and beta.
        boolean old = !w.has(name + ".weight") && w.has(name + ".gamma");
        return new Norm(
                name,
                layer,
                Norm.Kind.LAYER,
                w.vector(name + (old ? ".gamma" : ".weight"), config.hidden),
                w.vector(name + (old ? ".beta" : ".bias"), config.hidden),
                config.eps);
    }

    private static Linear linear(Weights w, String name, Role role, int layer, int out, int in) {
        return new Linear(name, role, layer, w.matrix(name + ".weight", out, in), w.bias(name + ".bias", out));
    }

    @Override
    public Hidden hidden(Inputs in, Pass pass) {
        ScalarType type = norm.weight().scalar_type();
        Tensor h = pass.enter(stream, pass.piece(() -> new Tensor[] {embed(in, type, pass)})[0]);
        pass.collect(h);
        AttentionMask mask = AttentionMask.of(layers.get(0).attention, false, type, pass);
        for (EncoderLayer layer : layers) {
            Tensor input = h;
            h = pass.layer(() -> forward(layer, input, mask, pass));
            pass.collect(h);
        }
        return pass.result(h);
    }

    private Tensor embed(Inputs in, ScalarType type, Pass pass) {
        Hooks hooks = pass.hooks();
        Embedded embedded = Embedded.of(words, in, type, pass);
        Tensor typeIds = embedded.typeIds();
        if (typeIds == null) {
            typeIds = Tensors.zeros(ScalarType.Long, in.rows(), embedded.rows().size(1));
        }
        Tensor sum = embedded.rows()
                .add(Ops.to(hooks.embedding(types, typeIds, pass), type))
                .add(Ops.to(hooks.embedding(positions, embedded.positions().expand(in.rows(), -1), pass), type));
        return Ops.dropout(hooks.norm(norm, sum, pass), config.dropout, pass.isTraining());
    }

    private Tensor forward(EncoderLayer layer, Tensor h, AttentionMask mask, Pass pass) {
        Tensor x = pass.cast(h, layer.query.weight().scalar_type());
        Tensor q = pass.heads(pass.linear(layer.query, x), config.heads, null);
        Tensor k = pass.heads(pass.linear(layer.key, x), config.heads, null);
        Tensor v = pass.heads(pass.linear(layer.value, x), config.heads, null);
        Tensor attended = Attend.attend(layer.attention, q, k, v, mask, config.attentionDropout, pass);
        Tensor out = pass.linear(layer.output, attended);
        Tensor middle =
                pass.piece(() -> new Tensor[] {add(layer.attentionBlock, layer.attentionNorm, h, out, pass)})[0];

        Tensor y = pass.cast(middle, layer.query.weight().scalar_type());
        Tensor down = pass.linear(layer.down, pass.activate(config.activation, pass.linear(layer.up, y)));
        Tensor result = pass.piece(
                        () -> new Tensor[] {add(layer.feedForwardBlock, layer.feedForwardNorm, middle, down, pass)})[0];
        return pass.leave(layer.layer, result);
    }

    private Tensor add(Block block, Norm norm, Tensor residual, Tensor output, Pass pass) {
        Tensor dropped = Ops.dropout(Ops.to(output, residual.scalar_type()), config.dropout, pass.isTraining());
        Tensor adapted = pass.hooks().block(block, residual, dropped, pass);
        return pass.hooks().norm(norm, residual.add(adapted), pass);
    }

    @Override
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>(List.of(words, positions, types, norm, stream));
        for (EncoderLayer l : layers) {
            sites.addAll(List.of(
                    l.query,
                    l.key,
                    l.value,
                    l.attention,
                    l.output,
                    l.attentionNorm,
                    l.attentionBlock,
                    l.up,
                    l.down,
                    l.feedForwardNorm,
                    l.feedForwardBlock,
                    l.layer));
        }
        if (pooler != null) {
            sites.add(pooler);
        }
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

    /** Reads {@code model_type: bert}. */
    public static final class Family implements Architecture {
        @Override
        public String modelType() {
            return "bert";
        }

        @Override
        public String prefix() {
            return "bert.";
        }

        @Override
        public Set<Task> tasks() {
            return EnumSet.of(Task.FEATURE_EXTRACTION, Task.SEQ_CLS, Task.TOKEN_CLS, Task.QUESTION_ANS, Task.MASKED_LM);
        }

        @Override
        public Task task(String className) {
            return switch (className) {
                case "BertForSequenceClassification" -> Task.SEQ_CLS;
                case "BertForTokenClassification" -> Task.TOKEN_CLS;
                case "BertForQuestionAnswering" -> Task.QUESTION_ANS;
                case "BertForMaskedLM" -> Task.MASKED_LM;
                default -> Task.FEATURE_EXTRACTION;
            };
        }

        @Override
        public String className(Task task) {
            return switch (task) {
                case SEQ_CLS -> "BertForSequenceClassification";
                case TOKEN_CLS -> "BertForTokenClassification";
                case QUESTION_ANS -> "BertForQuestionAnswering";
                case MASKED_LM -> "BertForMaskedLM";
                default -> "BertModel";
            };
        }

        @Override
        public Model build(Fields config, Weights weights, HeadSpec spec) {
            Config c = read(config);
            String prefix = spec.task() == Task.FEATURE_EXTRACTION ? "" : prefix();
            boolean pooled = spec.task() == Task.FEATURE_EXTRACTION || spec.task() == Task.SEQ_CLS;
            Bert bert = new Bert(c, weights, prefix, pooled);
            Double headDropout = config.numberOrNull("classifier_dropout");
            double dropout = headDropout == null ? c.dropout : headDropout;
            return new Model(bert, bert.head(weights, spec, dropout));
        }

        private static Config read(Fields f) {
            f.choice("position_embedding_type", "absolute", "absolute");
            if (f.bool("is_decoder", false) || f.bool("add_cross_attention", false)) {
                throw new FormatException(f.source(), "is_decoder is true: only BERT encoders are supported", null);
            }
            int hidden = f.integer("hidden_size");
            int heads = f.integer("num_attention_heads");
            if (heads < 1 || hidden % heads != 0) {
                throw f.wrong("num_attention_heads", "a divisor of hidden_size " + hidden);
            }
            return new Config(
                    f.integer("vocab_size"),
                    hidden,
                    f.integer("num_hidden_layers"),
                    heads,
                    f.integer("intermediate_size"),
                    f.integer("max_position_embeddings"),
                    f.integer("type_vocab_size", 2),
                    Embedding.padding(f, 0),
                    Activation.of(f.source(), f.string("hidden_act", "gelu")),
                    f.number("layer_norm_eps", 1e-12),
                    f.number("hidden_dropout_prob", 0.1),
                    f.number("attention_probs_dropout_prob", 0.1));
        }
    }

    private Head head(Weights w, Architecture.HeadSpec spec, double dropout) {
        int h = config.hidden;
        return switch (spec.task()) {
            case FEATURE_EXTRACTION -> new Head.None(List.of());
            case SEQ_CLS ->
                new Head.Sequence(
                        pooler == null ? spec.pooling() : Head.Pooling.FIRST,
                        pooler,
                        dropout,
                        fresh(w, "classifier", spec.labels(), spec.seed()));
            case TOKEN_CLS -> new Head.PerToken(fresh(w, "classifier", spec.labels(), spec.seed()));
            case QUESTION_ANS -> new Head.PerToken(fresh(w, "qa_outputs", 2, spec.seed()));
            case MASKED_LM -> {
                String t = "cls.predictions.transform.";
                Tensor table = w.has("cls.predictions.decoder.weight")
                        ? w.matrix("cls.predictions.decoder.weight", config.vocab, h)
                        : words.weight();
                String bias = w.has("cls.predictions.bias") ? "cls.predictions.bias" : "cls.predictions.decoder.bias";
                yield new Head.MaskedLm(
                        linear(w, t + "dense", Role.HEAD, -1, h, h),
                        config.activation,
                        norm(w, t + "LayerNorm", -1),
                        new Linear("cls.predictions.decoder", Role.HEAD, -1, table, w.bias(bias, config.vocab)));
            }
            case CAUSAL_LM -> throw new IllegalArgumentException("BERT has no causal head");
        };
    }

    private Linear fresh(Weights w, String name, int out, long seed) {
        return new Linear(
                name,
                Role.HEAD,
                -1,
                w.orFresh(
                        name + ".weight",
                        () -> Rng.of(seed, name + ".weight").normal(0, 0.02, out, config.hidden),
                        out,
                        config.hidden),
                w.orFresh(name + ".bias", () -> Tensors.zeros(ScalarType.Float, out), out));
    }
}
