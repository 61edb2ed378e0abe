package dev.graft.peft.methods.orthogonal;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Projection;
import dev.graft.peft.Bias;
import dev.graft.peft.CachedValue;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * HRA, Householder reflection adaptation (Yuan et al., 2024): {@code y = W H x + b} with {@code H = H₁ H₂ … H_r}, each a reflection
 * {@code Hᵢ = I - 2 uᵢ uᵢᵀ / ‖uᵢ‖²}: an orthogonal matrix that differs from I in r directions. The u start in equal pairs, whose reflections
 * cancel, so a new adapter changes nothing; that needs an even r. With {@code apply_GS} the u are orthonormalised first.
 *
 * <p>Trained: r · in for a layer, half of LoRA's. Files: {@code <module>.hra_u [in, r]}. Merges: W H. Use it like {@link Oft}, of which it is a
 * low-rank form. It preserves the norms of W's rows; with apply_GS no new adapter is the identity. On a convolution H applies to the patches of a
 * kernel, {@code u [in · kernel, r]}. Not on embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Hra.DEFAULT.withR(4), 42);
 * }</pre>
 *
 * @param orthonormal whether the u are made orthonormal by Gram and Schmidt's method
 * @param bias which of the base's biases are trained
 * @param startAtIdentity whether the u start in pairs
 */
@RecordBuilder
public record Hra(int r, boolean orthonormal, TargetModules targets, Bias bias, boolean startAtIdentity)
        implements Method, HraBuilder.With {
    /** Eight reflections for every linear layer but the head. */
    public static final Hra DEFAULT = new Hra(8, false, TargetModules.ALL_LINEAR, Bias.NONE, true);

    public Hra {
        if (r < 1) {
            throw new InputException("r is " + r + ", expected at least 1");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        boolean pairs = startAtIdentity && !orthonormal;
        if (pairs && r % 2 != 0 && !g.isLoading()) {
            throw new InputException("r is " + r + ", expected an even number: reflections start in pairs that cancel;"
                    + " or set init_weights to false");
        }
        List<Projection> sites = g.ungrouped(targets, "HRA");
        for (Projection site : sites) {
            long width = site.weight().flatten(1, -1).size(1);
            Initializer initializer = pairs
                    ? (rng, shape) -> Initializer.KAIMING
                            .create(rng, shape[0], shape[1] / 2)
                            .repeat_interleave(2, new LongOptional(1), new LongOptional())
                    : Initializer.KAIMING;
            Tensor u = g.parameter(site, "hra_u", initializer, width, r);
            CachedValue factors = g.cached(() -> factors(u));
            g.add(site, new Reflections(factors, site instanceof Convolution kernels ? kernels : null));
        }
        bias.graft(g, sites);
    }

    private static Tensor unit(Tensor u) {
        return u.div(Ops.norm(u, 0, true));
    }

    private static Tensor orthonormal(Tensor u) {
        List<Tensor> vectors = new ArrayList<>();
        for (int i = 0; i < u.size(1); i++) {
            Tensor v = u.narrow(1, i, 1);
            for (Tensor earlier : vectors) {
                v = v.sub(earlier.mul(earlier.t().matmul(v)));
            }
            vectors.add(unit(v));
        }
        return Ops.cat(1, vectors.toArray(Tensor[]::new));
    }

    /**
     * V, whose columns are the unit vectors, and L with {@code H = I - L Vᵀ}, {@code [2, in, r]}: L is V T for the T whose inverse has halves on its
     * diagonal and {@code Vᵀ V} above it (Schreiber and Van Loan, 1989).
     */
    private Tensor factors(Tensor u) {
        if (orthonormal) {
            Tensor v = orthonormal(u);
            return both(v, Ops.scale(v, 2));
        }
        Tensor v = unit(u);
        Tensor half = Ops.scale(torch.eye(v.size(1), v.options()), 0.5);
        Tensor inverse = v.t().matmul(v).triu(1).add(half);
        return both(v, torch.linalg_solve_triangular(inverse, v, true, false, false));
    }

    private static Tensor both(Tensor v, Tensor l) {
        return Ops.cat(0, v.unsqueeze(0), l.unsqueeze(0));
    }

    /**
     * The effect on one layer.
     *
     * @param factors V and L, {@code [2, in, r]}
     * @param kernels the convolution, whose patches of inputs are reflected; null for a linear layer
     */
    private record Reflections(
            CachedValue factors, @Nullable Convolution kernels) implements Effect.Reweight {
        @Override
        public Tensor weight(Tensor weight) {
            Tensor both = factors.value();
            Tensor rows = Ops.to(weight, both.scalar_type()).flatten(1, -1);
            Tensor narrow = rows.matmul(both.select(0, 1));
            return rows.sub(narrow.matmul(both.select(0, 0).t())).view(Tensors.shape(weight));
        }

        @Override
        public Tensor apply(Affine inner, Tensor x, PassView pass) {
            Tensor both = factors.value();
            if (kernels != null) {
                Tensor bias = inner.bias();
                Tensor y = kernels.apply(
                        x, weight(inner.weight()), bias == null ? null : Ops.to(bias, both.scalar_type()));
                return Ops.to(y, inner.weight().scalar_type());
            }
            Tensor wide = Ops.to(x, both.scalar_type());
            Tensor narrow = wide.matmul(both.select(0, 0));
            Tensor reflected = wide.sub(narrow.matmul(both.select(0, 1).t()));
            return inner.apply(Ops.to(reflected, x.scalar_type()), pass);
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        targets.write(json);
        json.put("r", r);
        json.put("apply_GS", orthonormal);
        json.put("init_weights", startAtIdentity);
        bias.write(json, "hra_only");
    }

    /** Registers {@code hra}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "hra";
        }

        @Override
        public String summary() {
            return "reflects the inputs of a layer in a few trained directions";
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
            return "HRA";
        }

        @Override
        public Method read(Fields config, Base base) {
            return new Hra(
                    config.integer("r", 8, 1),
                    config.bool("apply_GS", false),
                    TargetModules.read(config),
                    Bias.read(config, "hra_only"),
                    config.bool("init_weights", true));
        }
    }
}
