package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Projection;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * LoKr, low-rank Kronecker product (LyCORIS: Yeh et al., 2023; KronA: Edalati et al., 2022): {@code y = W x + b + s · (U ⊗ V) x} with
 * {@code U [out₁, in₁]}, {@code V [out₂, in₂]}, out = out₁ · out₂, in = in₁ · in₂ and s = alpha / r. {@link #factors} computes the sizes. V, and
 * with {@code decompose_both} U, is a product A B of rank r if r is less than half of its larger side. U (or its A) starts at zero and the rest
 * Kaiming-uniform, so a new adapter changes nothing.
 *
 * <p>Trained: out₁ · in₁ + r · (out₂ + in₂), or out₂ · in₂ for a whole V. Files: {@code <module>.lokr_w1} or {@code lokr_w1_a},
 * {@code lokr_w1_b}; {@code lokr_w2} or {@code lokr_w2_a}, {@code lokr_w2_b}. Merges. Use it if files must be smaller than LoRA's. ΔW is never
 * computed in a forward pass of a linear layer. Not on embeddings. On a convolution V has the kernel, {@code [out₂, in₂, kernel...]}, and in is
 * in / groups; as a product B is {@code [r, in₂ · kernel]}, or with {@code use_effective_conv2d} A is {@code [r, out₂]}, B {@code [r, in₂]}, and
 * a core {@code lokr_t2 [r, r, kernel...]} is between them.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Lokr.DEFAULT, 42);
 * }</pre>
 *
 * @param decomposeBoth whether U is a low-rank product too
 * @param decomposeFactor the size wanted for out₁ and in₁; -1 for one near the square root
 * @param rescales whether the outputs that {@code rank_dropout} keeps are scaled up
 * @param init the initialisation of the factors
 */
public record Lokr(LycorisConfig config, boolean decomposeBoth, int decomposeFactor, boolean rescales, Init init)
        implements Method {
    /** Rank 8, alpha 8, every linear layer but the head. */
    public static final Lokr DEFAULT = new Lokr(LycorisConfig.DEFAULT, false, -1, false, Init.ZERO_FIRST);

    /** The choice of the factor that starts at zero. */
    public enum Init {
        /** U, as in PEFT. */
        ZERO_FIRST,
        /** V, as in LyCORIS. */
        ZERO_SECOND,
        /** None: a new adapter changes the output. */
        RANDOM
    }

    public Lokr {
        if (decomposeFactor == 0 || decomposeFactor < -1) {
            throw new InputException("decompose_factor is " + decomposeFactor + ", expected -1 or at least 1");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        for (Projection site : g.projections(config.targets(), "LoKr")) {
            int r = config.r().at(site.name());
            long[] out = factors(site.out(), decomposeFactor);
            long[] in = factors(site.weight().size(1), decomposeFactor);
            boolean wholeU = !decomposeBoth || 2L * r >= Math.max(out[0], in[0]);
            boolean wholeV = 2L * r >= Math.max(out[1], in[1]);
            Initializer startU = init == Init.ZERO_FIRST ? Initializer.ZEROS : Initializer.KAIMING;
            Initializer startV = init == Init.ZERO_SECOND ? Initializer.ZEROS : Initializer.KAIMING;
            Factor u = wholeU
                    ? new Factor(g.parameter(site, "lokr_w1", startU, out[0], in[0]), null, null)
                    : new Factor(
                            g.parameter(site, "lokr_w1_a", startU, out[0], r),
                            g.parameter(site, "lokr_w1_b", Initializer.KAIMING, r, in[0]),
                            null);
            Factor v = wholeV ? whole(g, site, startV, out[1], in[1]) : product(g, site, startV, r, out[1], in[1]);
            g.add(site, new Kronecker(config, site, rescales, config.scaling(site.name()), u, v));
        }
    }

    private static Factor whole(Grafter g, Projection site, Initializer initializer, long out, long in) {
        long[] shape = Tensors.shape(site.weight());
        shape[0] = out;
        shape[1] = in;
        return new Factor(g.parameter(site, "lokr_w2", initializer, shape), null, null);
    }

    private Factor product(Grafter g, Projection site, Initializer initializer, long r, long out, long in) {
        boolean core = config.hasCore(site);
        long points = site.weight().flatten(1, -1).size(1) / site.weight().size(1);
        long[] left = core ? new long[] {r, out} : new long[] {out, r};
        return new Factor(
                g.parameter(site, "lokr_w2_a", Initializer.KAIMING, left),
                g.parameter(site, "lokr_w2_b", initializer, r, core ? in : in * points),
                core ? g.parameter(site, "lokr_t2", Initializer.KAIMING, LycorisConfig.core(site, r)) : null);
    }

    /**
     * Returns two factors of a size, the smaller one first, as in LyCORIS. If the wanted one divides the size, it is one of them. Else it is the
     * pair with the least sum whose smaller part isn't above the wanted one.
     */
    public static long[] factors(long size, int wanted) {
        if (wanted > 0 && size % wanted == 0) {
            return new long[] {wanted, size / wanted};
        }
        long most = wanted == -1 ? size : wanted;
        long m = 1;
        long n = size;
        long sum = m + n;
        while (m < n) {
            long next = m + 1;
            while (size % next != 0) {
                next++;
            }
            if (next + size / next > sum || next > most) {
                break;
            }
            m = next;
            n = size / next;
        }
        return new long[] {Math.min(m, n), Math.max(m, n)};
    }

    /** A matrix, the product of two, or kernels that a core makes of two; kernels have a row for each of their outputs. */
    private record Factor(
            Tensor left, @Nullable Tensor right, @Nullable Tensor core) {
        Tensor whole() {
            if (right == null) {
                return left.flatten(1, -1);
            }
            return core == null
                    ? left.matmul(right)
                    : LycorisConfig.kernels(core, left, right).flatten(1, -1);
        }

        /** The matrix times the last dimension of x. */
        Tensor times(Tensor x) {
            ScalarType type = x.scalar_type();
            Tensor inner = right == null ? x : Ops.linear(x, Ops.to(right, type), null);
            return Ops.linear(inner, Ops.to(left, type), null);
        }
    }

    private record Kronecker(
            LycorisConfig config, Projection site, boolean rescales, double scaling, Factor u, Factor v)
            implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            Tensor y = site instanceof Linear
                    ? Ops.scale(product(x), scaling)
                    : site.apply(x, Ops.to(weight(), x.scalar_type()), null);
            return config.drop(y, site, pass, rescales);
        }

        /** Returns {@code (U ⊗ V) x}, which is {@code U x Vᵀ} with x as a matrix {@code [in₁, in₂]}. */
        private Tensor product(Tensor x) {
            long first = u.right == null ? u.left.size(1) : u.right.size(1);
            Tensor narrow = v.times(x.unflatten(-1, new long[] {first, x.size(-1) / first}));
            return u.times(narrow.transpose(-1, -2)).transpose(-1, -2).flatten(-2, -1);
        }

        @Override
        public Tensor weight() {
            Tensor product = torch.kron(u.whole(), v.whole());
            return Ops.scale(product, scaling).reshape(Tensors.shape(site.weight()));
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        config.write(json);
        json.put("decompose_both", decomposeBoth);
        json.put("decompose_factor", decomposeFactor);
        json.put("rank_dropout_scale", rescales);
        switch (init) {
            case ZERO_FIRST -> json.put("init_weights", true);
            case ZERO_SECOND -> json.put("init_weights", "lycoris");
            case RANDOM -> json.put("init_weights", false);
        }
    }

    /** Registers {@code lokr}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "lokr";
        }

        @Override
        public String summary() {
            return "adds a trained Kronecker product to frozen weights";
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
            return "LOKR";
        }

        @Override
        public double rateFactor() {
            return 4;
        }

        @Override
        public List<String> required() {
            return List.of("r", "alpha");
        }

        @Override
        public Method read(Fields config, Base base) {
            return new Lokr(
                    LycorisConfig.read(config),
                    config.bool("decompose_both", false),
                    config.integer("decompose_factor", -1),
                    config.bool("rank_dropout_scale", false),
                    init(config));
        }

        private static Init init(Fields config) {
            JsonNode value = config.node("init_weights");
            if (value != null && value.isString()) {
                config.choice("init_weights", "lycoris", "lycoris");
                return Init.ZERO_SECOND;
            }
            return config.bool("init_weights", true) ? Init.ZERO_FIRST : Init.RANDOM;
        }
    }
}
