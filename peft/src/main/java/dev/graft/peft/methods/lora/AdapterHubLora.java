package dev.graft.peft.methods.lora;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Role;
import dev.graft.peft.Effect;
import dev.graft.peft.Factors;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.methods.internal.AdapterHubFields;
import dev.graft.peft.methods.internal.AdapterHubType;
import dev.graft.peft.methods.internal.Gate;
import dev.graft.peft.methods.scaling.Ia3;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.ops.Dropout;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * AdapterHub's low-rank family, one configuration for four methods: LoRA {@code y = W x + b + s · B A x} with {@code A [r, in]},
 * {@code B [out, r]} and s = alpha / r; (IA)³ {@code y = l ⊙ (W x + b)} with {@code l [out]} where {@code composition_mode} is {@code scale};
 * VeRA with {@code ΔW = B' B D A}, where A and B are frozen and shared by all layers and {@code D [r, r]}, {@code B' [out, out]} are trained;
 * DoRA, and DoRA with VeRA's ΔW, where {@code use_dora} is set: {@code y = m ⊙ (W + s ΔW) / ‖W + s ΔW‖ x + b}. With {@code use_gating} a
 * {@link Gate} replaces s (UniPELT's LoRA).
 *
 * <p>Trained, for each linear layer: r · (in + out); (IA)³ out; VeRA r² + out²; DoRA out more; a gate in + 1 more. {@link Init} initialises A and
 * B or l; by default a new adapter changes nothing, except VeRA with {@code vera_b}. m starts at the norms of W's rows. Files, in AdapterHub's
 * layout: {@code <module>.loras.NAME.lora_A}, {@code .lora_B}, {@code .vera_D}, {@code .vera_B}, {@code .m.weight}, {@code .gate.weight},
 * {@code .gate.bias}, and for VeRA {@code shared_parameters.NAME.lora_A}, {@code .lora_B}. Merges, except gated ones. Use it to exchange adapters
 * with AdapterHub and as a part of UniPELT; otherwise prefer {@link Lora}, {@link Ia3} or {@link Dora}, which have more options.
 *
 * <p>AdapterHub's own DoRA also scales the bias and omits s in the norm. Here both follow the paper, except DoRA with VeRA, which follows
 * AdapterHub.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, AdapterHubLora.DEFAULT, 42);
 * }</pre>
 *
 * @param r the rank
 * @param attention which of {@code q}, {@code k}, {@code v} are adapted; empty for none
 * @param intermediate whether AdapterHub's intermediate layer is adapted: the up projection of the feed-forward block, but the down projection on
 *     models with a gate
 * @param output whether the other projection is adapted
 * @param scale whether it is (IA)³
 * @param dora whether only the direction of the weight is changed
 * @param vera the initial diagonals of VeRA's D and B', or null
 * @param init the initialisation of A and B, or of l
 */
@RecordBuilder
public record AdapterHubLora(
        int r,
        double alpha,
        List<String> attention,
        boolean intermediate,
        boolean output,
        boolean scale,
        boolean gated,
        boolean dora,
        @Nullable Vera vera,
        double dropout,
        List<Integer> leaveOut,
        Init init)
        implements Method, AdapterHubLoraBuilder.With {
    private static final Map<String, Role> ROLES = Map.of("q", Role.QUERY, "k", Role.KEY, "v", Role.VALUE);

    /** Queries and values, rank 8, s = 1. */
    public static final AdapterHubLora DEFAULT = AdapterHubLoraBuilder.builder()
            .r(8)
            .alpha(8)
            .attention(List.of("q", "v"))
            .leaveOut(List.of())
            .init(Init.LORA)
            .build();

    /** The start of VeRA's matrices. */
    public record Vera(double d, double b) {}

    /** The start of the weights: AdapterHub's {@code init_weights}. */
    public enum Init {
        /** A Kaiming-uniform, B or l at zero. */
        LORA(Initializer.KAIMING, Initializer.ZEROS),
        /** A and B, or l, normal around 0 with deviation 0.02: a new adapter changes the base. */
        BERT(Initializer.normal(0.02), Initializer.normal(0.02)),
        /** A and B, or l, at one. */
        IA3(Initializer.ONES, Initializer.ONES),
        /** A and B Kaiming-uniform for rectifiers, on ±√(6 / columns); not for l. */
        VERA(AdapterHubLora::rectified, AdapterHubLora::rectified);

        private final Initializer a;
        private final Initializer b;

        Init(Initializer a, Initializer b) {
            this.a = a;
            this.b = b;
        }

        public Initializer a() {
            return a;
        }

        /** Returns the initialisation of B, or of l. */
        public Initializer b() {
            return b;
        }

        private String file() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private static Init defaultInit(boolean scale, @Nullable Vera vera) {
        return scale ? Init.IA3 : vera == null ? Init.LORA : Init.VERA;
    }

    public AdapterHubLora {
        attention = List.copyOf(attention);
        leaveOut = List.copyOf(leaveOut);
        if (r < 1) {
            throw new InputException("r is " + r + ", expected at least 1");
        }
        if (attention.isEmpty() && !intermediate && !output) {
            throw new InputException(
                    "selfattn_lora, intermediate_lora and output_lora are all false: there is nothing to train");
        }
        Set<String> unknown = new HashSet<>(attention);
        unknown.removeAll(ROLES.keySet());
        if (!unknown.isEmpty()) {
            throw new InputException("attn_matrices has " + unknown + ", expected some of q, k, v");
        }
        if (scale && (r != 1 || alpha != 1 || dora || vera != null || dropout > 0)) {
            throw new InputException(
                    "composition_mode is \"scale\", expected \"add\": a scale has r 1, alpha 1, no dropout"
                            + " and neither DoRA nor VeRA");
        }
        if (scale && init == Init.VERA) {
            throw new InputException(
                    "init_weights is \"vera\", expected ia3, lora or bert: a scale has no other start");
        }
        if (vera != null && init == Init.LORA) {
            throw new InputException("init_weights is \"lora\", but vera_d is set, expected vera, bert or ia3: VeRA's B"
                    + " stays as it starts, and at zero there is nothing to learn");
        }
        if (dora && gated) {
            throw new InputException("use_gating is true, but use_dora is true: expected one of them");
        }
        AdapterHubFields.requireDropout("dropout", dropout);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        Map<String, Tensor> shared = new HashMap<>();
        for (Linear site : places(g.base())) {
            graft(g, site, shared);
        }
    }

    /** The layers that it adapts. */
    public List<Linear> places(Base base) {
        AdapterHubFields.requireSome(leaveOut, base);
        Set<Role> roles = roles(base);
        return base.sites().stream()
                .filter(Linear.class::isInstance)
                .map(Linear.class::cast)
                .filter(site -> site.layer() >= 0
                        && roles.contains(site.role())
                        && !leaveOut.contains(AdapterHubFields.layer(site, base)))
                .toList();
    }

    /** AdapterHub's names for the feed-forward layers are the other way round where there is a gate, as in Llama; not in T5. */
    private Set<Role> roles(Base base) {
        boolean turned = !base.architecture().tasks().contains(Task.SEQ_2_SEQ_LM)
                && base.sites().stream().anyMatch(site -> site instanceof Linear linear && linear.role() == Role.GATE);
        Set<Role> roles = new HashSet<>();
        attention.forEach(name -> roles.add(ROLES.get(name)));
        if (!attention.isEmpty()) {
            roles.add(Role.QUERY_KEY_VALUE);
        }
        if (intermediate) {
            roles.add(turned ? Role.DOWN : Role.UP);
        }
        if (output) {
            roles.add(turned ? Role.UP : Role.DOWN);
        }
        return roles;
    }

    private void graft(Grafter g, Linear site, Map<String, Tensor> shared) {
        if (site.role() == Role.QUERY_KEY_VALUE) {
            g.add(site, fused(g, site));
            return;
        }
        String at = site.name() + ".loras.*.";
        Gate gate = gated
                ? Gate.of(
                        g,
                        at + "gate",
                        1,
                        site.in(),
                        Initializer.normal(0.02),
                        Initializer.uniform(1 / Math.sqrt(site.in())))
                : null;
        if (scale) {
            Tensor l = g.parameter(at + "lora_B", init.b(), site.out(), 1);
            g.add(site, gate == null ? new Effect.Scale(null, l) : new GatedScale(l, gate));
            return;
        }
        Product product = vera == null
                ? new Product(
                        g.parameter(at + "lora_A", init.a(), r, site.in()),
                        null,
                        g.parameter(at + "lora_B", init.b(), site.out(), r),
                        null)
                : vera(g, site, at, shared);
        if (dora) {
            Tensor norms = Ops.norm(Ops.to(site.weight(), g.base().numerics().small()), 1, true);
            Tensor m = g.parameter(at + "m.weight", Initializer.copy(norms), site.out(), 1);
            g.add(site, new Directed(product, m, alpha / r, dropout, vera != null));
        } else {
            g.add(site, new Added(product, alpha / r, dropout, gate));
        }
    }

    private Effect fused(Grafter g, Linear site) {
        FusedLora parts = FusedLora.of(g, site, attention, gated);
        if (dora || vera != null) {
            throw new InputException("use_dora or vera_d is set, but " + site.name()
                    + " makes queries, keys and values in one layer, on which AdapterHub has neither");
        }
        return scale ? parts.scaled(g, init.b) : parts.added(g, init.a, init.b, r, alpha / r, dropout);
    }

    private Product vera(Grafter g, Linear site, String at, Map<String, Tensor> shared) {
        String root = AdapterHubFields.root(g.base()) + "shared_parameters.*.";
        Tensor a = once(g, root + "lora_A", init.a(), shared, r, site.in());
        Tensor b = once(g, root + "lora_B", init.b(), shared, site.out(), r);
        double d = vera == null ? 0 : vera.d;
        double outer = vera == null ? 0 : vera.b;
        return new Product(
                a,
                g.parameter(at + "vera_D", diagonal(d), r, r),
                b,
                g.parameter(at + "vera_B", diagonal(outer), site.out(), site.out()));
    }

    private static Tensor once(
            Grafter g, String key, Initializer initializer, Map<String, Tensor> shared, long rows, long columns) {
        Tensor known = shared.get(key);
        if (known == null) {
            known = g.frozen(key, initializer, rows, columns);
            shared.put(key, known);
        } else if (known.size(0) != rows || known.size(1) != columns) {
            throw new InputException("vera_d is set, but the adapted layers have different sizes: they can't share "
                    + key.substring(key.lastIndexOf('.') + 1));
        }
        return known;
    }

    private static Tensor rectified(Rng rng, long... shape) {
        return Initializer.uniform(Math.sqrt(6.0 / shape[1])).create(rng, shape);
    }

    private static Initializer diagonal(double value) {
        return (rng, shape) ->
                Ops.scale(Initializer.ONES.create(rng, shape).tril().triu(), value);
    }

    /** ΔW = B' B D A; D and B' are left out in a plain LoRA. */
    private record Product(
            Tensor a,
            @Nullable Tensor d,
            Tensor b,
            @Nullable Tensor outer) {
        Tensor matrix() {
            return left().matmul(right());
        }

        private Tensor right() {
            return d == null ? a : d.matmul(a);
        }

        private Tensor left() {
            return outer == null ? b : outer.matmul(b);
        }

        Tensor apply(Tensor x) {
            Tensor narrow = Ops.linear(x, Ops.to(a, x.scalar_type()), null);
            if (d != null) {
                narrow = Ops.linear(narrow, Ops.to(d, x.scalar_type()), null);
            }
            return Ops.linear(narrow, Ops.to(left(), x.scalar_type()), null);
        }
    }

    private record Added(
            Product product,
            double s,
            double dropout,
            @Nullable Gate gate) implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            Tensor change = product.apply(Dropout.apply(x, dropout, pass.isTraining()));
            return gate == null ? Ops.scale(change, s) : change.mul(Ops.to(gate.of(x), change.scalar_type()));
        }

        @Override
        public @Nullable Tensor weight() {
            return gate == null ? Ops.scale(product.matrix(), s) : null;
        }

        @Override
        public @Nullable Factors factors() {
            return gate == null ? new Factors(product.right(), Ops.scale(product.left(), s)) : null;
        }
    }

    private record GatedScale(Tensor l, Gate gate) implements Effect.Reweight {
        @Override
        public Tensor weight(Tensor weight) {
            throw new InputException("use_gating is true: a gate depends on the text, so it can't be merged");
        }

        @Override
        public Tensor apply(Affine inner, Tensor x, PassView pass) {
            Tensor y = inner.apply(x, pass);
            return y.mul(Ops.to(l.view(-1).mul(gate.of(x)), y.scalar_type()));
        }
    }

    /** DoRA. With {@code hub} the norm is that of W + ΔW, and the bias is scaled too. */
    private record Directed(Product product, Tensor m, double s, double dropout, boolean hub)
            implements Effect.Reweight {
        private Tensor scales(Tensor weight) {
            Tensor change = product.matrix();
            Tensor whole = Ops.to(weight, change.scalar_type()).add(hub ? change : Ops.scale(change, s));
            // As in the paper the norm is a constant for the gradient.
            Tensor norm = Ops.norm(whole, 1, true);
            return m.div(hub ? norm : norm.detach());
        }

        @Override
        public Tensor weight(Tensor weight) {
            if (hub) {
                throw new InputException("use_dora with vera_d can't be merged: AdapterHub scales the bias with it");
            }
            Tensor change = Ops.scale(product.matrix(), s);
            return Ops.to(weight, change.scalar_type()).add(change).mul(scales(weight));
        }

        @Override
        public Tensor apply(Affine inner, Tensor x, PassView pass) {
            Tensor y = inner.apply(x, pass);
            Tensor input = Dropout.apply(Ops.to(x, y.scalar_type()), dropout, pass.isTraining());
            Tensor change = Ops.scale(product.apply(input), s);
            Tensor scales = Ops.to(scales(inner.weight()).view(-1), y.scalar_type());
            Tensor bias = hub ? null : inner.bias();
            if (bias == null) {
                return y.add(change).mul(scales);
            }
            Tensor b = Ops.to(bias, y.scalar_type());
            return y.sub(b).add(change).mul(scales).add(b);
        }
    }

    @Override
    public void write(ObjectNode c, Base base) {
        c.put("architecture", "lora");
        c.put("r", r);
        AdapterHubFields.put(c, "alpha", alpha);
        (attention.isEmpty() ? List.of("q", "v") : attention).forEach(c.putArray("attn_matrices")::add);
        c.put("selfattn_lora", !attention.isEmpty());
        c.put("intermediate_lora", intermediate);
        c.put("output_lora", output);
        c.put("composition_mode", scale ? "scale" : "add");
        c.put("init_weights", init.file());
        c.put("use_gating", gated);
        c.put("use_dora", dora);
        c.put("vera_d", vera == null ? null : Double.valueOf(vera.d));
        c.put("vera_b", vera == null ? null : Double.valueOf(vera.b));
        c.put("dropout", dropout);
        leaveOut.forEach(c.putArray("leave_out")::add);
        c.putNull("dtype");
        c.putNull("init_weights_seed");
    }

    public static AdapterHubLora read(Fields f) {
        f.ignore("architecture", "dtype", "init_weights_seed");
        List<String> attention = f.strings("attn_matrices", List.of("q", "v"));
        Double d = f.numberOrNull("vera_d");
        Double b = f.numberOrNull("vera_b");
        if (d == null && b != null) {
            throw new InputException("vera_b is " + b + ", but vera_d isn't set, expected both or neither");
        }
        AdapterHubLoraBuilder builder = AdapterHubLoraBuilder.builder()
                .r(f.integer("r", 8, 1))
                .alpha(f.number("alpha", 8))
                .attention(f.bool("selfattn_lora", true) ? attention : List.of())
                .intermediate(f.bool("intermediate_lora", false))
                .output(f.bool("output_lora", false));
        boolean scale = f.choice("composition_mode", "add", "add", "scale").equals("scale");
        Vera vera = d == null ? null : new Vera(d, b == null ? 0 : b);
        Init usual = defaultInit(scale, vera);
        AdapterHubLora read = builder.scale(scale)
                .gated(f.bool("use_gating", false))
                .dora(f.bool("use_dora", false))
                .vera(vera)
                .dropout(f.number("dropout", 0))
                .leaveOut(AdapterHubFields.leaveOut(f))
                .init(usual)
                .build();
        String start = f.choice("init_weights", usual.file(), "lora", "bert", "ia3", "vera");
        return read.withInit(Init.valueOf(start.toUpperCase(Locale.ROOT)));
    }

    /** Registers {@code adapterhub-lora}. */
    public static final class Kind implements AdapterHubType {
        public static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "adapterhub-lora";
        }

        @Override
        public String summary() {
            return "AdapterHub's LoRA, (IA)³, VeRA and DoRA, with gates";
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL;
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return "lora";
        }

        @Override
        public Map<String, String> optional() {
            return Map.of(
                    "init_weights",
                    "how A and B, or l, start: lora, bert, ia3 or vera; ia3 with scale, vera with vera_d, else lora"
                            + " where nothing is said");
        }

        @Override
        public Method read(Fields f, Base base) {
            return AdapterHubLora.read(f);
        }
    }
}
