package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Backbone;
import dev.graft.models.Task;
import dev.graft.models.attention.AttentionMask;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.functions.Activation;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.layers.InputEmbeddings;
import dev.graft.models.layers.LayerOps;
import dev.graft.models.layers.Recurrence;
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
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Nemotron-H (NVIDIA, 2025): a decoder in which each layer is one block, {@code h = h + block(norm(h))}. A block is
 * {@link Mamba2}, attention without positions, or a feed-forward block. {@code layers_block_type} or the letters of
 * {@code hybrid_override_pattern} define them. Mixtures of experts are rejected. {@code time_step_limit} is ignored, as
 * in transformers: the smallest step is {@code time_step_min}. In transformers this minimum applies only in chunks, not
 * to one token behind a cache; here it applies to both.
 */
public final class NemotronH implements Backbone {
    private final Size size;
    private final Embedding tokens;
    private final Stream stream;
    private final List<NemotronLayer> layers = new ArrayList<>();
    private final Norm norm;

    private record NemotronLayer(Norm norm, NemotronMixer mixer, Block block, Layer layer) {}

    NemotronH(Fields f, Weights w, String prefix) {
        int hidden = f.integer("hidden_size", 4096, 1);
        List<String> kinds = kinds(f);
        size = new Size(
                f.integer("vocab_size", 131072),
                hidden,
                kinds.size(),
                f.integer("num_attention_heads", 32, 1),
                f.integer("max_position_embeddings", 4096, 1));
        double eps = f.number("layer_norm_epsilon", 1e-5, 0, 1);
        tokens = w.tokenEmbedding(prefix + "embeddings", size.vocab(), hidden, -1);
        stream = Stream.of(prefix, hidden);
        for (int i = 0; i < kinds.size(); i++) {
            String name = prefix + "layers." + i;
            boolean forward = kinds.get(i).equals("mlp");
            layers.add(new NemotronLayer(
                    w.rmsNorm(name + ".norm", i, hidden, eps),
                    mixer(f, w, kinds.get(i), name + ".mixer", i, eps),
                    new Block(
                            name + (forward ? ".output_adapters" : ".attention_adapters"),
                            i,
                            forward ? Block.Kind.FEED_FORWARD : Block.Kind.ATTENTION,
                            hidden,
                            null),
                    new Layer(name, i, hidden)));
        }
        norm = w.rmsNorm(prefix + "norm_f", -1, hidden, eps);
    }

    /**
     * Returns the name of a field that has two. The first has precedence, as in transformers ({@code NemotronHConfig}).
     */
    private static String either(Fields f, String first, String second) {
        return f.has(first) ? first : second;
    }

    /** Reads the kind of each layer, by any name that transformers has had for it. */
    private static List<String> kinds(Fields f) {
        String named = either(f, "layer_types", "layers_block_type");
        List<String> given = f.stringsOrNull(named);
        String field = given == null ? "hybrid_override_pattern" : named;
        List<String> written = given != null
                ? given
                : f.string(field).chars().mapToObj(Character::toString).toList();
        return written.stream()
                .map(kind -> switch (kind) {
                    case "linear_attention", "mamba", "M" -> "mamba";
                    case "full_attention", "attention", "*" -> "attention";
                    case "mlp", "-" -> "mlp";
                    default ->
                        throw f.invalid(
                                field,
                                "linear_attention (M), full_attention (*) or mlp (-) for each layer; mixtures of"
                                        + " experts (moe, E) aren't known");
                })
                .toList();
    }

    private NemotronMixer mixer(Fields f, Weights w, String kind, String name, int i, double eps) {
        return switch (kind) {
            case "mamba" -> scan(f, w, name, i, eps);
            case "attention" -> attending(f, w, name, i);
            default -> forward(f, w, name, i);
        };
    }

    private NemotronMixer.MambaMixer scan(Fields f, Weights w, String name, int i, double eps) {
        int h = size.hidden();
        int heads = f.integer("mamba_num_heads", 128, 1);
        String grouped = either(f, "mamba_n_groups", "n_groups");
        int groups = f.integer(grouped, 8, 1);
        if (heads % groups != 0) {
            throw f.invalid(grouped, "a divisor of mamba_num_heads, " + heads);
        }
        f.choice("mamba_hidden_act", "silu", "silu");
        if (f.bool("mamba_proj_bias", false)) {
            throw f.invalid("mamba_proj_bias", "false: use_bias says whether they have biases");
        }
        Mamba2.Config shape = new Mamba2.Config(
                heads,
                f.integer("mamba_head_dim", 64, 1),
                groups,
                f.integer("ssm_state_size", 128, 1),
                f.integer(either(f, "mamba_d_conv", "conv_kernel"), 4, 1),
                f.integer(either(f, "mamba_chunk_size", "chunk_size"), 128, 1),
                f.number(either(f, "mamba_dt_min", "time_step_min"), 0.001));
        boolean bias = f.bool("use_bias", false);
        int channels = shape.channels();
        ScalarType small = w.numerics().small();
        Mamba2 mamba = new Mamba2(
                shape,
                w.get(name + ".conv1d.weight", small, channels, 1, shape.kernel()),
                f.bool(either(f, "mamba_conv_bias", "use_conv_bias"), true)
                        ? w.vector(name + ".conv1d.bias", channels)
                        : null,
                w.vector(name + ".A_log", heads),
                w.vector(name + ".D", heads),
                w.vector(name + ".dt_bias", heads));
        return new NemotronMixer.MambaMixer(
                name,
                w.linear(name + ".in_proj", Role.GATE_UP, i, (long) shape.inner() + channels + heads, h, bias),
                mamba,
                w.vector(name + ".norm.weight", shape.inner()),
                eps,
                w.linear(name + ".out_proj", Role.DOWN, i, h, shape.inner(), bias));
    }

    private NemotronMixer.AttentionMixer attending(Fields f, Weights w, String name, int i) {
        int h = size.hidden();
        int dim = f.integer("head_dim", 128, 1);
        int keyValues = LlamaConfig.Heads.keyValues(f, size, 8);
        if (f.bool("attention_bias", false)) {
            throw f.invalid("attention_bias", "false");
        }
        if (f.integerOrNull("sliding_window") != null) {
            throw f.invalid("sliding_window", "null");
        }
        long queries = (long) size.heads() * dim;
        long keys = (long) keyValues * dim;
        return new NemotronMixer.AttentionMixer(
                new Attention(name, i, keyValues, dim),
                size.heads(),
                List.of(
                        w.linear(name + ".q_proj", Role.QUERY, i, queries, h, false),
                        w.linear(name + ".k_proj", Role.KEY, i, keys, h, false),
                        w.linear(name + ".v_proj", Role.VALUE, i, keys, h, false)),
                w.linear(name + ".o_proj", Role.OUTPUT, i, h, queries, false),
                f.number("attention_dropout", 0, 0, 1));
    }

    private NemotronMixer.FeedForwardMixer forward(Fields f, Weights w, String name, int i) {
        int h = size.hidden();
        int inner = f.integer("intermediate_size", 21504, 1);
        boolean bias = f.bool("mlp_bias", false);
        return new NemotronMixer.FeedForwardMixer(new FeedForward.Plain(
                w.linear(name + ".up_proj", Role.UP, i, inner, h, bias),
                w.linear(name + ".down_proj", Role.DOWN, i, h, inner, bias),
                Activation.read(f, "mlp_hidden_act", "relu2")));
    }

    private @Nullable Attention firstAttention() {
        return layers.stream()
                .map(NemotronLayer::mixer)
                .filter(NemotronMixer.AttentionMixer.class::isInstance)
                .map(mixer -> ((NemotronMixer.AttentionMixer) mixer).attention())
                .findFirst()
                .orElse(null);
    }

    private ScalarType base() {
        return tokens.weight().scalar_type();
    }

    @Override
    public HiddenStates forward(Inputs in, ForwardPass pass) {
        ScalarType small = norm.weight().scalar_type();
        Tensor rows = pass.segment(() ->
                new Tensor[] {InputEmbeddings.of(tokens, in, small, pass).rows()})[0];
        Attention first = firstAttention();
        AttentionMask mask = AttentionMask.of(first, first != null, base(), pass);
        Tensor h = LayerOps.enterLayers(pass, stream, rows);
        NemotronMixer.PassInputs inputs = new NemotronMixer.PassInputs(mask, Recurrence.of(pass), base());
        h = LayerOps.layers(
                pass,
                layers,
                h,
                (layer, x) -> LayerOps.leaveLayer(
                        pass,
                        layer.layer,
                        LayerOps.add(pass, layer.block, x, layer.mixer.apply(layer.norm, x, inputs, pass))));
        h = pass.hooks().norm(norm, h, pass);
        pass.collect(h);
        mask.end(pass);
        return pass.result(h);
    }

    @Override
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>(List.of(tokens, stream));
        for (NemotronLayer l : layers) {
            sites.add(l.norm);
            sites.addAll(l.mixer.sites());
            sites.addAll(List.of(l.block, l.layer));
        }
        sites.add(norm);
        return sites;
    }

    @Override
    public List<List<Linear>> siblings() {
        return layers.stream()
                .map(layer -> layer.mixer.siblings())
                .filter(each -> !each.isEmpty())
                .toList();
    }

    @Override
    public boolean isRecurrent() {
        return true;
    }

    @Override
    public boolean hasMixedLayers() {
        return layers.stream().map(layer -> layer.mixer.getClass()).distinct().count() > 1;
    }

    @Override
    public Size size() {
        return size;
    }

    /** Reads {@code model_type: nemotron_h}. */
    public static final class Family extends CausalFamily {
        /** Creates one for {@link java.util.ServiceLoader}. */
        public Family() {
            super("nemotron_h", "NemotronH", "model.");
        }

        @Override
        public Set<Task> tasks() {
            return EnumSet.of(Task.FEATURE_EXTRACTION, Task.CAUSAL_LM);
        }

        /** Returns the name of a tensor in files, which is that of NVIDIA's first ones. */
        private static String filed(String name) {
            return name.startsWith("lm_head.") ? name : "backbone." + name.replaceFirst("^model\\.", "");
        }

        @Override
        public Model build(Fields f, Weights w, HeadSpec spec) {
            w.rename(Family::filed);
            NemotronH decoder = new NemotronH(f, w, before(spec));
            if (f.bool("tie_word_embeddings", false)) {
                throw f.invalid("tie_word_embeddings", "false");
            }
            if (f.integer("num_nextn_predict_layers", 0) != 0) {
                throw f.invalid("num_nextn_predict_layers", "0: layers that predict further tokens aren't known");
            }
            return new Model(decoder, CausalHeads.of(w, spec, decoder.tokens, false, CausalHeads.Names.of("score"), 0));
        }
    }
}
