package dev.graft.peft.methods.prompt;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.functions.Activation;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.methods.internal.AdapterHubFields;
import dev.graft.peft.methods.internal.AdapterHubType;
import dev.graft.peft.methods.internal.Gate;
import dev.graft.tensor.Ops;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/**
 * Prefix tuning (Li and Liang, 2021) as AdapterHub has it: T keys and values before those of every attention layer, computed by a network in
 * every pass, {@code P = σ(E W₁ᵀ + b₁) W₂ᵀ + b₂} with {@code E [T, hidden]}, {@code W₁ [k, hidden]},
 * {@code W₂ [layers · 2 · heads · headDim, k]}; or {@code flat}, where P itself is trained. Layer i has its keys at 2i, its values at 2i + 1. The
 * text's positions stay unchanged. With {@code use_gating} a {@link Gate} on the attention layer's input multiplies keys and values (UniPELT's
 * prefix).
 *
 * <p>Trained: T · hidden + k · (hidden + 1) + 2 · layers · heads · headDim · (k + 1), flat T · 2 · layers · heads · headDim; a gate hidden + 1
 * more for each layer. E and a flat P start normal with deviation 1, the network as {@code nn.Linear}. Files, in AdapterHub's layout: {@code
 * prefix_tuning.prefix_tunings.NAME.self_prefix.{wte.weight,control_trans.0.*,control_trans.2.*}}, flat {@code control_trans}, of an
 * encoder-decoder also {@code encoder_prefix} and {@code cross_prefix}, each with a network of its own, and
 * {@code <attention>.prefix_tuning.prefix_gates.NAME.{weight,bias}}. Doesn't merge, and has no strength but 1. {@link PrefixTuning} is the same
 * in PEFT's files, which contain only P.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, AdapterHubPrefix.DEFAULT, 42);
 * }</pre>
 *
 * @param tokens T
 * @param flat whether P itself is trained
 * @param inside k
 * @param activation σ by AdapterHub's name
 * @param dropout probability that a value of a key or value is dropped in training
 * @param gated whether keys and values are multiplied by a gate
 * @param sharedGate whether keys and values have the same gate
 * @param encoder whether the encoder of an encoder-decoder has one
 * @param cross whether the decoder's attention to the encoder has one
 * @param leaveOut the layers without a prefix
 */
@RecordBuilder
public record AdapterHubPrefix(
        int tokens,
        boolean flat,
        int inside,
        String activation,
        double dropout,
        boolean gated,
        boolean sharedGate,
        boolean encoder,
        boolean cross,
        List<Integer> leaveOut)
        implements Method, AdapterHubPrefixBuilder.With {
    /** Thirty keys and values, 512 values inside. */
    public static final AdapterHubPrefix DEFAULT = AdapterHubPrefixBuilder.builder()
            .tokens(30)
            .inside(512)
            .activation("tanh")
            .sharedGate(true)
            .encoder(true)
            .cross(true)
            .leaveOut(List.of())
            .build();

    public AdapterHubPrefix {
        leaveOut = List.copyOf(leaveOut);
        if (tokens < 1) {
            throw new InputException("prefix_length is " + tokens + ", expected at least 1");
        }
        if (inside < 1) {
            throw new InputException("bottleneck_size is " + inside + ", expected at least 1");
        }
        AdapterHubFields.activation(activation);
        AdapterHubFields.requireDropout("dropout", dropout);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    /** Some columns of P. */
    private interface Columns {
        Tensor from(long first, long count);
    }

    @Override
    public void graft(Grafter g) {
        PrefixTable.layers(g.base());
        AdapterHubFields.requireSome(leaveOut, g.base());
        graft(g, Attention.Kind.OWN, "self_prefix");
        if (encoder) {
            graft(g, Attention.Kind.ENCODER, "encoder_prefix");
        }
        if (cross) {
            graft(g, Attention.Kind.CROSS, "cross_prefix");
        }
    }

    private void graft(Grafter g, Attention.Kind kind, String name) {
        List<Attention> layers = new ArrayList<>();
        for (Site site : g.base().sites()) {
            if (site instanceof Attention attention
                    && attention.kind() == kind
                    && !leaveOut.contains(AdapterHubFields.layer(attention, g.base()))) {
                layers.add(attention);
            }
        }
        if (layers.isEmpty()) {
            return;
        }
        long dim = (long) layers.get(0).heads() * layers.get(0).headDim();
        long width = 2 * layers.size() * dim;
        String at = AdapterHubFields.root(g.base()) + "prefix_tuning.prefix_tunings.*." + name + ".";
        Columns columns = flat ? plain(g, at, width) : projected(g, at, width);
        for (int i = 0; i < layers.size(); i++) {
            Attention layer = layers.get(i);
            long first = 2 * i * dim;
            Gate gate = gated ? gate(g, layer) : null;
            g.add(
                    layer,
                    new Effect.Prefix(
                            tokens,
                            pass -> columns.from(first, 2 * dim)
                                    .view(tokens, 2, layer.heads(), layer.headDim())
                                    .transpose(0, 1),
                            false,
                            dropout,
                            gate == null ? null : x -> keysAndValues(gate.of(x))));
        }
    }

    private Columns plain(Grafter g, String at, long width) {
        Tensor p = g.parameter(at + "control_trans", Initializer.normal(1), tokens * width);
        return (first, count) -> p.view(tokens, width).narrow(1, first, count);
    }

    private Columns projected(Grafter g, String at, long width) {
        long hidden = g.base().backbone().hiddenSize();
        Activation sigma = AdapterHubFields.activation(activation);
        Tensor e = g.parameter(at + "wte.weight", Initializer.normal(1), tokens, hidden);
        Tensor w1 = g.parameter(at + "control_trans.0.weight", Initializer.KAIMING, inside, hidden);
        Tensor b1 = g.parameter(at + "control_trans.0.bias", Initializer.uniform(1 / Math.sqrt(hidden)), inside);
        Tensor w2 = g.parameter(at + "control_trans.2.weight", Initializer.KAIMING, width, inside);
        Tensor b2 = g.parameter(at + "control_trans.2.bias", Initializer.uniform(1 / Math.sqrt(inside)), width);
        // Each layer works out its own columns only, so that all layers together cost one pass of the network.
        return (first, count) -> Ops.linear(
                        sigma.apply(Ops.linear(e, w1, b1)), w2.narrow(0, first, count), b2.narrow(0, first, count))
                .contiguous();
    }

    private Gate gate(Grafter g, Attention layer) {
        long hidden = g.base().backbone().hiddenSize();
        return Gate.of(
                g,
                layer.name() + ".prefix_tuning.prefix_gates.*",
                sharedGate ? 1 : 2,
                hidden,
                Initializer.normal(0.02),
                Initializer.uniform(1 / Math.sqrt(hidden)));
    }

    /** Gates {@code [rows, 1, 1 or 2]} of keys and values, {@code [2, rows, 1, 1, 1]}. */
    private static Tensor keysAndValues(Tensor gates) {
        return gates.expand(-1, -1, 2).permute(2, 0, 1).unsqueeze(-1).unsqueeze(-1);
    }

    @Override
    public void write(ObjectNode c, Base base) {
        c.put("architecture", "prefix_tuning");
        c.put("prefix_length", tokens);
        c.put("flat", flat);
        c.put("bottleneck_size", inside);
        c.put("non_linearity", activation);
        c.put("dropout", dropout);
        c.put("use_gating", gated);
        c.put("shared_gating", sharedGate);
        leaveOut.forEach(c.putArray("leave_out")::add);
        c.put("encoder_prefix", encoder);
        c.put("cross_prefix", cross);
        c.putNull("init_weights_seed");
    }

    /** Registers {@code adapterhub-prefix-tuning}. */
    public static final class Kind implements AdapterHubType {
        public static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "adapterhub-prefix-tuning";
        }

        @Override
        public String summary() {
            return "AdapterHub's prefix tuning: keys and values from a small network, with gates";
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL.withMergeable(false).withIdentityAtStart(false);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return "prefix_tuning";
        }

        @Override
        public Method read(Fields f, Base base) {
            f.ignore("architecture", "init_weights_seed");
            return new AdapterHubPrefix(
                    f.integer("prefix_length", 30, 1),
                    f.bool("flat", false),
                    f.integer("bottleneck_size", 512, 1),
                    f.choice("non_linearity", "tanh", AdapterHubFields.activations()),
                    f.number("dropout", 0),
                    f.bool("use_gating", false),
                    f.bool("shared_gating", true),
                    f.bool("encoder_prefix", true),
                    f.bool("cross_prefix", true),
                    AdapterHubFields.leaveOut(f));
        }
    }
}
