package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.peft.DefaultTargets;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.TargetModules;
import dev.graft.peft.internal.PythonRegex;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.StringViewOptional;
import org.bytedeco.pytorch.T_TensorTensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * OSF, orthogonal subspace finetuning (Nayak et al., 2025), for learning one task after another: with {@code W = U diag(S) V} the k largest
 * singular triplets stay frozen, and the others are trained, {@code W' = U₁ diag(S₁) V₁ + U₂ diag(S₂) V₂}. Projected gradients keep U₂ and V₂
 * orthogonal to U₁ and V₁. They start as the base's, so a new adapter changes nothing.
 *
 * <p>Trained: (out + 1 + in) · (min(out, in) - k) for a layer, about as much as W has. Files: {@code <module>.osf_svd_params.U_low},
 * {@code S_low}, {@code V_low}; the frozen part is recomputed from the base. Merges: W'. Use it if earlier tasks must be preserved and memory
 * suffices for nearly full fine-tuning. Not on embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Osf.DEFAULT, 42);
 * }</pre>
 *
 * @param rank k
 * @param ranks other k for modules whose name contains a key (a regular expression); the first match counts
 * @param startAsBase whether the trained triplets start as the base's; else they are standard normal
 */
@RecordBuilder
public record Osf(Rank rank, Map<String, Rank> ranks, TargetModules targets, boolean startAsBase)
        implements Method, OsfBuilder.With {
    /** Half of the triplets of every linear layer but the head. */
    public static final Osf DEFAULT = new Osf(Rank.HALF, Map.of(), TargetModules.ALL_LINEAR, true);

    /**
     * A number of triplets.
     *
     * @param value the number, or the share of the smaller size of a layer; null for half of it
     * @param share whether it is a share
     */
    public record Rank(@Nullable Double value, boolean share) {
        public static final Rank HALF = new Rank(null, false);

        /** Creates a rank of that number. */
        public static Rank of(int k) {
            return new Rank((double) k, false);
        }

        static Rank read(Fields config, String field, @Nullable JsonNode value) {
            if (value == null || value.isNull()) {
                return HALF;
            }
            if (!value.isNumber()) {
                throw config.invalid(field, "a number");
            }
            double number = value.doubleValue();
            return new Rank(number, !value.isIntegralNumber() && number > 0 && number <= 1);
        }

        /** Returns the number for a layer. */
        int of(Linear site) {
            long smaller = Math.min(site.in(), site.out());
            double k = value == null ? smaller / 2 : share ? smaller * value : value;
            if (k < 1 || k >= smaller) {
                throw new InputException("effective_rank keeps " + (long) k + " of the " + smaller
                        + " singular values of " + site.name() + ", expected at least 1 and fewer than all");
            }
            return (int) k;
        }

        void write(ObjectNode json, String field) {
            if (value == null) {
                json.putNull(field);
            } else if (share || value != Math.rint(value)) {
                json.put(field, value);
            } else {
                json.put(field, value.intValue());
            }
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        TargetModules known = targets.orDefaults(g.base(), DefaultTargets.Table.OSF);
        for (Linear site : g.linears(known.isDefault() ? TargetModules.ALL_LINEAR : known, "OSF")) {
            int k = rankAt(site).of(site);
            Triplets all = Triplets.of(g, site);
            Triplets high = all.narrow(0, k);
            Triplets start = all.narrow(k, all.s.size(0) - k);
            Triplets low = new Triplets(
                    parameter(g, site, "U_low", start.u),
                    parameter(g, site, "S_low", start.s),
                    parameter(g, site, "V_low", start.v));
            g.add(site, new Subspace(low, start, high));
        }
    }

    private Rank rankAt(Linear site) {
        for (Map.Entry<String, Rank> entry : ranks.entrySet()) {
            if (PythonRegex.match("rank_pattern", ".*(?:" + entry.getKey() + ")", site.name())) {
                return entry.getValue();
            }
        }
        return rank;
    }

    private Tensor parameter(Grafter g, Linear site, String name, Tensor start) {
        return g.parameter(
                site,
                "osf_svd_params." + name,
                startAsBase ? Initializer.copy(start) : Initializer.normal(1),
                Tensors.shape(start));
    }

    /** {@code U [out, n]}, {@code S [n]} and {@code V [n, in]}. */
    private record Triplets(Tensor u, Tensor s, Tensor v) {
        static Triplets of(Grafter g, Linear site) {
            try (NoGrad noGrad = new NoGrad();
                    Scope scope = new Scope()) {
                Tensor w = Ops.to(site.weight().detach(), g.base().numerics().small());
                T_TensorTensorTensor_T svd = torch.linalg_svd(w, false, new StringViewOptional());
                // The parts of the result die with it.
                return new Triplets(
                        scope.release(svd.get0().clone()),
                        scope.release(svd.get1().clone()),
                        scope.release(svd.get2().clone()));
            }
        }

        Triplets narrow(long from, long count) {
            try (Scope scope = new Scope()) {
                return new Triplets(
                        scope.release(u.narrow(1, from, count).contiguous()),
                        scope.release(s.narrow(0, from, count).contiguous()),
                        scope.release(v.narrow(0, from, count).contiguous()));
            }
        }

        Tensor product() {
            return u.mul(s).matmul(v);
        }

        Tensor apply(Tensor x) {
            return Ops.linear(Ops.linear(x, Ops.to(v, x.scalar_type()), null), Ops.to(u.mul(s), x.scalar_type()), null);
        }
    }

    /** The trained triplets less those of the base, beside which the highest ones stay. */
    private record Subspace(Triplets low, Triplets start, Triplets high) implements Effect.Delta {
        /** The trained triplets, whose gradients are projected. */
        private Triplets projected() {
            Tensor u = low.u.sub(low.u.detach());
            Tensor v = low.v.sub(low.v.detach());
            u = u.sub(high.u.matmul(high.u.t().matmul(u)));
            v = v.sub(v.matmul(high.v.t()).matmul(high.v));
            return new Triplets(low.u.detach().add(u), low.s, low.v.detach().add(v));
        }

        @Override
        public Tensor apply(Tensor x, PassView pass) {
            return projected().apply(x).sub(start.apply(x));
        }

        @Override
        public Tensor weight() {
            return low.product().sub(start.product());
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        targets.withExplicitNames(base).write(json);
        json.remove(List.of("exclude_modules", "layers_to_transform", "layers_pattern"));
        rank.write(json, "effective_rank");
        if (ranks.isEmpty()) {
            json.putNull("rank_pattern");
        } else {
            ObjectNode pattern = json.putObject("rank_pattern");
            ranks.forEach((key, value) -> value.write(pattern, key));
        }
        json.put("init_weights", startAsBase);
        json.putNull("target_svd_config");
    }

    /** Registers {@code osf}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "osf";
        }

        @Override
        public String summary() {
            return "trains the smaller singular triplets of a weight, orthogonal to the larger ones";
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
            return "OSF";
        }

        @Override
        public double rateFactor() {
            return 0.3;
        }

        @Override
        public Method read(Fields config, Base base) {
            // PEFT accepts it and does nothing with it.
            config.ignore("target_svd_config");
            Map<String, Rank> ranks = new LinkedHashMap<>();
            Fields pattern = config.objectOrNull("rank_pattern");
            if (pattern != null) {
                for (String key : pattern.names()) {
                    ranks.put(key, Rank.read(pattern, key, pattern.node(key)));
                }
            }
            Boolean startAsBase = config.boolOrNull("init_weights");
            return new Osf(
                    Rank.read(config, "effective_rank", config.node("effective_rank")),
                    ranks,
                    TargetModules.read(config),
                    startAsBase == null || startAsBase);
        }
    }
}
