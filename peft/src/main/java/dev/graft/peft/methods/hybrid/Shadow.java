package dev.graft.peft.methods.hybrid;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.ReducedShape;
import dev.graft.models.Task;
import dev.graft.models.forward.AuxiliaryOutput;
import dev.graft.models.forward.Inputs;
import dev.graft.models.functions.Activation;
import dev.graft.models.heads.Head;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.Layer;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.models.sites.Stream;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.LookAhead;
import dev.graft.peft.Method;
import dev.graft.peft.ParameterDeclaration;
import dev.graft.peft.SideNetwork;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.internal.AdapterHubFields;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * ShadowPEFT (Li et al., 2026), as PEFT has it ({@code tuners/shadow}): a small network of the base's own family, the shadow, reads the text too,
 * and its states run beside the hidden states h {@code [seq, hidden]} from layer to layer. With {@code s₀ = P S(x)}, S the shadow and P a
 * projection where S is narrower than the base, a layer l of those chosen is
 *
 * <pre>{@code
 * h = h + α B A dropout(h - s)         y = layer(h)
 * g = σ(G(y))        s = (1 - g) ⊙ s + g ⊙ T(y)
 * }</pre>
 *
 * where A {@code [r, hidden]}, B {@code [hidden, r]}, and T and G are perceptrons with GELU and u inner values. The loss also includes that of
 * the head's output for s₀ alone, times λ. So S can answer by itself, with the vocabulary head or a separate head for classes.
 *
 * <p>Trained: {@code L (2 r d + 4 d u + 2 u + 2 d)} for L layers of d hidden values, and S, by default one layer of the base and its last norm
 * without embeddings; also P and the head for classes if they exist. B starts at zero, so a new adapter changes nothing; A, T, G and P start as
 * {@code nn.Linear}, S as a new model, its matrices all with one deviation. T and G of the last layer have nothing to learn from. Files:
 * {@code <layer>.shadow_down.default.weight}, {@code shadow_up}, {@code shadow_update_transform.default.0} and {@code .2},
 * {@code shadow_update_gate} likewise, and {@code shadow_backbone.default.*}, {@code shadow_projection.default.weight},
 * {@code shadow_head.default.weight}. Doesn't merge: what is added depends on the text. With a cache S has one of its own. Use it to obtain a
 * small model beside the adapted one. Decoders only, not behind a prompt.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Shadow.DEFAULT, 42);
 * }</pre>
 *
 * @param targets consecutive whole layers; every layer by default
 * @param alpha α
 * @param dropout probability that a value of h - s is dropped in training
 * @param startAtZero whether B starts at zero
 * @param layers the number of layers of S, null for one
 * @param hidden the size of its hidden states, null for the base's
 * @param heads its attention heads, null for the base's number
 * @param intermediate the inner size of its feed-forward blocks, null for the base's
 * @param sharesEmbeddings whether S reads the base's token embeddings if they have its size
 * @param inner u, null or 0 for r
 * @param auxiliaryWeight λ, 0 for no loss of s₀
 */
@RecordBuilder
public record Shadow(
        TargetModules targets,
        int r,
        double alpha,
        double dropout,
        boolean startAtZero,
        @Nullable Integer layers,
        @Nullable Integer hidden,
        @Nullable Integer heads,
        @Nullable Integer intermediate,
        boolean sharesEmbeddings,
        @Nullable Integer inner,
        double auxiliaryWeight)
        implements Method, ShadowBuilder.With {
    /** PEFT's defaults: every layer, rank 8, a shadow of one layer as wide as the base. */
    public static final Shadow DEFAULT = ShadowBuilder.builder()
            .targets(TargetModules.DEFAULT)
            .r(8)
            .alpha(0.1)
            .dropout(0.2)
            .startAtZero(true)
            .sharesEmbeddings(true)
            .auxiliaryWeight(0.05)
            .build();

    private static final String BACKBONE = "shadow_backbone.default.";

    public Shadow {
        if (r < 1) {
            throw new InputException("r is " + r + ", expected at least 1");
        }
        if (!(auxiliaryWeight >= 0)) {
            throw new InputException("auxiliary_loss_weight is " + auxiliaryWeight + ", expected 0 or more");
        }
        AdapterHubFields.requireDropout("shadow_dropout", dropout);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    /** The layers, which must follow one another. */
    private List<Layer> layers(Base base) {
        if (!base.architecture().tasks().contains(Task.CAUSAL_LM)) {
            throw new InputException(
                    base.name() + " is a " + base.architecture().modelType()
                            + "; shadow runs beside the layers of a decoder, such as Llama's");
        }
        List<Layer> chosen = new ArrayList<>();
        for (Site site : base.sites()) {
            if (site instanceof Layer layer && chooses(layer)) {
                chosen.add(layer);
            }
        }
        if (chosen.isEmpty()) {
            throw new InputException("target_modules match no layer of " + base.name()
                    + "; shadow takes whole layers, such as those of the expression .*\\.layers\\.\\d+");
        }
        for (int i = 1; i < chosen.size(); i++) {
            if (chosen.get(i).layer() != chosen.get(i - 1).layer() + 1) {
                throw new InputException("target_modules: " + chosen.get(i).name() + " doesn't follow "
                        + chosen.get(i - 1).name()
                        + "; shadow states go from each layer to the next, so leave none out");
            }
        }
        return chosen;
    }

    private boolean chooses(Layer layer) {
        List<Integer> indices = targets.layers();
        return targets.isDefault()
                ? (indices == null || indices.contains(layer.layer())) && !targets.excludes(layer.name())
                : targets.matches(layer.name(), List.of());
    }

    @Override
    public void graft(Grafter g) {
        Base base = g.base();
        List<Layer> chosen = layers(base);
        int d = base.backbone().hiddenSize();
        if (base.backbone().outputSize() != d) {
            throw new InputException(base.name() + " has last hidden states of "
                    + base.backbone().outputSize() + " numbers behind layers of " + d
                    + ", as OPT with another word_embed_proj_dim; shadow needs one size");
        }
        SideNetwork sideNetwork = network(g, d);
        Tensor projection = projection(g, d);
        Head head = auxiliaryHead(g);
        boolean answers = head != null || base.task() == Task.CAUSAL_LM;
        Start start = new Start(sideNetwork, projection, head, answers ? auxiliaryWeight : 0);
        g.lookAhead(start);
        Object state = start;
        for (int i = 0; i < chosen.size(); i++) {
            Layer layer = chosen.get(i);
            g.add(before(base, layer), injection(g, layer, state));
            boolean last = i == chosen.size() - 1;
            Update update = update(g, layer, state, last);
            g.add(layer, update);
            state = update;
        }
    }

    /** Returns the site before a layer: its hidden states are the layer's input. */
    private static Site before(Base base, Layer layer) {
        for (Site site : base.sites()) {
            boolean enters = layer.layer() == 0 && site instanceof Stream;
            if (enters || site instanceof Layer other && other.layer() == layer.layer() - 1) {
                return site;
            }
        }
        throw new IllegalStateException("nothing goes into " + layer.name());
    }

    private SideNetwork network(Grafter g, int d) {
        ReducedShape shape = new ReducedShape(layers == null ? 1 : layers, hidden, heads, intermediate);
        return SideNetwork.of(
                g.base(),
                BACKBONE,
                shape,
                sharesEmbeddings && (hidden == null || hidden == d),
                g::parameter,
                g::unusedParameter);
    }

    /** P {@code [hidden, S's hidden]}; null where they have one size. */
    private @Nullable Tensor projection(Grafter g, int d) {
        return hidden == null || hidden == d
                ? null
                : g.parameter("shadow_projection.default.weight", Initializer.KAIMING, d, hidden);
    }

    /** The head of s₀ for classes, a copy of the base's that is trained by itself; null for others, of which that of the next token is the base's. */
    private @Nullable Head auxiliaryHead(Grafter g) {
        if (!(g.base().head() instanceof Head.PerSequence head) || g.base().task() != Task.SEQ_CLS) {
            return null;
        }
        ParameterDeclaration declare = auxiliaryWeight == 0 ? g::unusedParameter : g::parameter;
        Tensor weight = head.output().weight();
        Tensor own = declare.of("shadow_head.default.weight", Initializer.copy(weight), Tensors.shape(weight));
        return new Head.PerSequence(head.pooling(), null, 0, new Linear("shadow_head", Role.HEAD, -1, own, null));
    }

    /**
     * {@code s₀ = P S(x)}.
     *
     * @param head null for the base's
     * @param weight λ
     */
    private record Start(
            SideNetwork sideNetwork,
            @Nullable Tensor projection,
            @Nullable Head head,
            double weight) implements LookAhead {
        @Override
        public SideNetwork network() {
            return sideNetwork;
        }

        @Override
        public Tensor compute(Tensor states, PassView pass) {
            return projection == null ? states : Ops.linear(states, projection, null);
        }

        @Override
        public @Nullable AuxiliaryOutput auxiliary(Tensor result, Inputs in) {
            return weight == 0
                    ? null
                    : new AuxiliaryOutput(new HiddenStates(result, in.mask(), 0, List.of()), head, weight);
        }
    }

    private Injection injection(Grafter g, Layer layer, Object state) {
        int d = layer.hidden();
        Tensor down = g.parameter(layer, "shadow_down.default.weight", Initializer.KAIMING, r, d);
        Initializer zeros = startAtZero ? Initializer.ZEROS : Initializer.KAIMING;
        Tensor up = g.parameter(layer, "shadow_up.default.weight", zeros, d, r);
        return new Injection(layer, state, down, up, alpha, dropout);
    }

    /** @param state what s was left under */
    private record Injection(Layer layer, Object state, Tensor down, Tensor up, double alpha, double dropout)
            implements Effect.Intervene {
        @Override
        public Tensor apply(Tensor hidden, Tensor mask, @Nullable Tensor earlier, PassView pass) {
            Tensor s = pass.getState(state);
            if (s.size(1) != hidden.size(1)) {
                throw new InputException(layer.name() + " is given " + hidden.size(1)
                        + " positions and shadow has read " + s.size(1)
                        + ": it can't act in a batch in which others put a prompt before texts");
            }
            Tensor difference = Dropout.apply(hidden.sub(s), dropout, pass.isTraining());
            Tensor change = Ops.linear(Ops.linear(difference, down, null), up, null);
            return Ops.addScaled(hidden, change, alpha);
        }
    }

    private Update update(Grafter g, Layer layer, Object state, boolean last) {
        return new Update(
                state,
                perceptron(g, layer, "shadow_update_transform", last),
                perceptron(g, layer, "shadow_update_gate", last),
                last);
    }

    private Perceptron perceptron(Grafter g, Layer layer, String part, boolean idle) {
        int u = inner == null || inner == 0 ? r : inner;
        int d = layer.hidden();
        String at = layer.name() + "." + part + ".default.";
        ParameterDeclaration declare = idle ? g::unusedParameter : g::parameter;
        return new Perceptron(
                declare.of(at + "0.weight", Initializer.KAIMING, u, d),
                declare.of(at + "0.bias", Initializer.uniform(1 / Math.sqrt(d)), u),
                declare.of(at + "2.weight", Initializer.KAIMING, d, u),
                declare.of(at + "2.bias", Initializer.uniform(1 / Math.sqrt(u)), d));
    }

    private record Perceptron(Tensor in, Tensor inBias, Tensor out, Tensor outBias) {
        Tensor of(Tensor x) {
            return Ops.linear(Activation.GELU.apply(Ops.linear(x, in, inBias)), out, outBias);
        }
    }

    /**
     * The state behind a layer, left under this object.
     *
     * @param before what s was left under
     * @param last whether no layer reads it
     */
    private record Update(Object before, Perceptron transform, Perceptron gate, boolean last)
            implements Effect.Intervene {
        @Override
        public Tensor apply(Tensor hidden, Tensor mask, @Nullable Tensor earlier, PassView pass) {
            if (!last) {
                Tensor s = pass.getState(before);
                Tensor change = transform.of(hidden).sub(s);
                pass.putState(this, s.add(gate.of(hidden).sigmoid().mul(change)));
            }
            return hidden;
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        // Layers are named: PEFT heeds layers_to_transform for no whole layer.
        TargetModules stated = targets.layers() == null
                ? targets
                : TargetModules.names(layers(base).stream().map(Layer::name).toArray(String[]::new));
        stated.write(json);
        json.put("r", r);
        json.put("shadow_alpha", alpha);
        json.put("shadow_dropout", dropout);
        json.put("init_weights", startAtZero);
        json.put("shadow_model", "mirror");
        json.put("shadow_num_hidden_layers", layers);
        json.put("shadow_hidden_size", hidden);
        json.put("shadow_num_attention_heads", heads);
        json.put("shadow_intermediate_size", intermediate);
        json.put("share_embeddings", sharesEmbeddings);
        json.put("update_hidden_size", inner);
        json.put("auxiliary_loss_weight", auxiliaryWeight);
    }

    /** Registers {@code shadow}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "shadow";
        }

        @Override
        public String summary() {
            return "a small network beside a decoder, whose states correct those of each layer";
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL.withMergeable(false).withEncoder(false);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return "SHADOW";
        }

        @Override
        public List<String> required() {
            return List.of("shadow_alpha");
        }

        @Override
        public Method read(Fields f, Base base) {
            if (!f.string("shadow_model", "mirror").equals("mirror")) {
                throw f.invalid(
                        "shadow_model",
                        "\"mirror\": a pretrained shadow is a model of its own that isn't in the file",
                        "mirror");
            }
            return new Shadow(
                    TargetModules.read(f),
                    f.integer("r", 8, 1),
                    f.number("shadow_alpha", 0.1),
                    f.number("shadow_dropout", 0.2),
                    f.bool("init_weights", true),
                    f.integerOrNull("shadow_num_hidden_layers", 1, Integer.MAX_VALUE),
                    f.integerOrNull("shadow_hidden_size", 1, Integer.MAX_VALUE),
                    f.integerOrNull("shadow_num_attention_heads", 1, Integer.MAX_VALUE),
                    f.integerOrNull("shadow_intermediate_size", 1, Integer.MAX_VALUE),
                    f.bool("share_embeddings", true),
                    f.integerOrNull("update_hidden_size", 0, Integer.MAX_VALUE),
                    f.number("auxiliary_loss_weight", 0.05));
        }
    }
}
