package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.Parameter.Storage;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.Ops;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Lily, low-rank interconnected adaptation across layers (Zhong et al., 2024): {@code y = W x + b + s · Σ_e p_e B_e A x} with
 * {@code p = softmax(R A x)}. All layers of a kind share the experts {@code B_e [r, out]}, {@code stride} neighbouring ones share
 * {@code A [r, in]}, and each layer has its own router {@code R [n, r]}. The B_e start at zero, so a new adapter changes nothing.
 *
 * <p>Each token is routed alone. PEFT uses the mean of p over all tokens of a batch, including padding, so a text's output depends on the other
 * texts. Adapters from PEFT do so here too, but not in training and not with other texts in serving.
 *
 * <p>Trained: for L layers of a kind {@code r · in · ⌈L / stride⌉ + n · r · out + L · n · r}. Files: {@code <module>.lily_A.weight},
 * {@code lily_B.weight [n · r, out]}, {@code lily_router.weight}, shared tensors under each module's name; beside PEFT's file
 * {@code lily_by_token}, if each token is routed alone. Doesn't merge: the update isn't linear. Use it for updates of a higher rank than LoRA's
 * with as many trained values. Not on embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Lily.DEFAULT, 42);
 * }</pre>
 *
 * @param stride the number of neighbouring layers of a kind that share an A
 * @param experts n
 * @param scaling s
 * @param startAtZero whether the B_e start at zero; else they are Kaiming-uniform
 */
@RecordBuilder
public record Lily(int r, int stride, int experts, double scaling, TargetModules targets, boolean startAtZero)
        implements Method, LilyBuilder.With {
    /** Rank 32, each layer with its own A, two experts, every linear layer but the head. */
    public static final Lily DEFAULT = new Lily(32, 1, 2, 1, TargetModules.ALL_LINEAR, true);

    private static final String BY_TOKEN = "lily_by_token";

    public Lily {
        if (r < 1 || stride < 1) {
            throw new InputException("r is " + r + " and stride_A " + stride + ", expected each at least 1");
        }
        if (experts < 2) {
            throw new InputException("num_B is " + experts + ", expected at least 2: one needs no router");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        List<Linear> sites = g.linears(targets, "Lily");
        boolean byToken = !g.isLoading() || g.storedShape(sites.get(0), BY_TOKEN) != null;
        if (byToken) {
            g.indices(sites.get(0), BY_TOKEN, Storage.GRAFT_FILE, Initializer.ONES, 1);
        }
        Map<List<Object>, List<Linear>> kinds =
                sites.stream().collect(Collectors.groupingBy(this::kind, LinkedHashMap::new, Collectors.toList()));
        for (List<Linear> layers : kinds.values()) {
            Tensor a = null;
            Tensor b = null;
            for (int i = 0; i < layers.size(); i++) {
                Linear site = layers.get(i);
                a = shared(g, site, "lily_A.weight", i % stride == 0 ? null : a, Initializer.KAIMING, r, site.in());
                Initializer initializer = startAtZero ? Initializer.ZEROS : Initializer.KAIMING;
                b = shared(g, site, "lily_B.weight", b, initializer, (long) experts * r, site.out());
                Tensor router = g.parameter(site, "lily_router.weight", Initializer.KAIMING, experts, r);
                g.add(site, new Routed(a, b, router, scaling, byToken));
            }
        }
    }

    /** A parameter that starts here, or is here again. */
    private static Tensor shared(
            Grafter g, Linear site, String suffix, @Nullable Tensor known, Initializer initializer, long... shape) {
        if (known == null) {
            return g.parameter(site, suffix, initializer, shape);
        }
        g.alias(site.name() + "." + suffix, known);
        return known;
    }

    /**
     * Returns the kind of a layer. Layers of one kind have the same sizes, and the same target's name, a common
     * expression or the same place.
     */
    private List<Object> kind(Linear site) {
        String name = site.name();
        Object target = !targets.names().isEmpty()
                ? targets.names().stream()
                        .filter(name::endsWith)
                        .max(Comparator.comparing(String::length))
                        .orElse(name)
                : targets.isDefault() || targets.isAllLinear() ? name.replaceAll("(?<=^|\\.)\\d+(?=\\.|$)", "*") : "";
        return List.of(target, site.in(), site.out());
    }

    /**
     * The update of one layer.
     *
     * @param a {@code [r, in]}
     * @param b {@code [n · r, out]}
     * @param router {@code [n, r]}
     */
    private record Routed(Tensor a, Tensor b, Tensor router, double scaling, boolean byToken) implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            ScalarType type = x.scalar_type();
            Tensor h = Ops.linear(x, Ops.to(a, type), null);
            Tensor p = Ops.linear(Ops.to(h, router.scalar_type()), router, null).softmax(-1);
            if (!byToken) {
                requireWhole(pass);
                p = Ops.mean(p.reshape(-1, p.size(-1)), 0, false);
            }
            Tensor parts = Ops.to(p, type).unsqueeze(-1).mul(h.unsqueeze(-2)).flatten(-2, -1);
            return Ops.scale(Ops.linear(parts, Ops.to(b.t(), type), null), scaling);
        }

        @Override
        public boolean mixesRows() {
            return !byToken;
        }

        private static void requireWhole(PassView pass) {
            if (pass.isTraining() || pass.isRagged()) {
                throw new InputException("this Lily adapter is PEFT's, whose router takes the mean over all tokens of a"
                        + " batch: it can't be trained on or served, where a batch is cut into parts; train a new one");
            }
        }

        @Override
        public @Nullable Tensor weight() {
            return null;
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        json.put("r", r);
        json.put("stride_A", stride);
        json.put("num_B", experts);
        json.put("scaling", scaling);
        json.put("init_weights", startAtZero);
        targets.write(json);
    }

    /** Registers {@code lily}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "lily";
        }

        @Override
        public String summary() {
            return "low-rank updates mixed from experts that layers share";
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL.withMergeable(false);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return "LILY";
        }

        @Override
        public List<String> required() {
            return List.of("r", "stride_A", "num_B", "scaling");
        }

        @Override
        public Method read(Fields config, Base base) {
            return new Lily(
                    config.integer("r", 32, 1),
                    config.integer("stride_A", 1, 1),
                    config.integer("num_B", 2, 2),
                    config.number("scaling", 1),
                    TargetModules.read(config),
                    config.bool("init_weights", true));
        }
    }
}
