package dev.graft.peft.methods.orthogonal;

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
import dev.graft.peft.PatternValue;
import dev.graft.peft.TargetModules;
import dev.graft.peft.inits.Svd;
import dev.graft.peft.methods.internal.DropoutProbability;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * PSOFT, orthogonal finetuning in the principal subspace (Wu et al., 2025): {@code y = W x + b + s · B (R - I) A x}, where {@code s · B A} is W's
 * best approximation of rank r, {@code A [r, in]} its right singular vectors, and {@code R = diag(β) Q diag(α)} a rotation Q {@code [r, r]}
 * between two scales. Q is {@code (I + S)(I - S)⁻¹} of a skew-symmetric S, or the first terms of its series. S starts at zero and the scales at
 * one, so a new adapter changes nothing.
 *
 * <p>Trained: r · (r - 1) / 2 + 2 · r for a layer of any size. Files: {@code <module>.psoft_R.weight}, {@code vector_a}, {@code vector_b}; A and
 * B are recomputed from the base. The signs of singular vectors are free, and R depends on them; they are written beside PEFT's file. Merges. Use
 * it like {@link Oft} if an adapter must be small. It changes nothing outside the first r directions. Not on embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Psoft.DEFAULT.withR(32), 42);
 * }</pre>
 *
 * @param alpha s is alpha / r; it cancels
 * @param dropout probability that an input is dropped in training
 * @param halved whether the singular values are halved between A and B, as in PiSSA; else B has them, which keeps angles
 * @param iterations the iterations of a randomised decomposition from {@code seed}; null for the exact one
 * @param orthogonal whether Q is a rotation; else any matrix
 * @param scalesOut whether β is trained
 * @param scalesIn whether α is trained
 * @param terms the number of terms of the series; null for the exact form
 * @param bound the bound of the norm of S with the series; null for none
 * @param startAtIdentity whether S starts at zero; else it is normal with standard deviation 0.1
 */
@RecordBuilder
public record Psoft(
        int r,
        double alpha,
        double dropout,
        boolean halved,
        @Nullable Integer iterations,
        int seed,
        boolean orthogonal,
        boolean scalesOut,
        boolean scalesIn,
        @Nullable Integer terms,
        @Nullable Double bound,
        TargetModules targets,
        boolean startAtIdentity)
        implements Method, PsoftBuilder.With {
    /** Rank 32, every linear layer but the head. */
    public static final Psoft DEFAULT = PsoftBuilder.builder()
            .r(32)
            .alpha(32)
            .orthogonal(true)
            .scalesOut(true)
            .scalesIn(true)
            .targets(TargetModules.ALL_LINEAR)
            .startAtIdentity(true)
            .build();

    private static final int ITERATIONS = 10;
    private static final int TERMS = 5;
    private static final String SIGNS = "psoft_signs";

    public Psoft {
        if (r < 1) {
            throw new InputException("r is " + r + ", expected at least 1");
        }
        DropoutProbability.require("psoft_dropout", dropout);
        if (terms != null && terms < 1) {
            throw new InputException("num_cayley_neumann_terms is " + terms + ", expected at least 1");
        }
        if (bound != null && !(bound > 0 && bound < 1)) {
            throw new InputException("cayley_neumann_eps is " + bound + ", expected more than 0 and less than 1");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        for (Linear site : g.linears(targets, "PSOFT")) {
            if (r > Math.min(site.in(), site.out())) {
                throw new InputException("r is " + r + ", expected at most the smaller size of " + site.name() + ", "
                        + Math.min(site.in(), site.out()));
            }
            Subspace subspace = subspace(g, site);
            Tensor weight = orthogonal
                    ? g.parameter(
                            site,
                            "psoft_R.weight",
                            startAtIdentity ? Initializer.ZEROS : Initializer.normal(0.1),
                            r * (r - 1L) / 2)
                    : g.parameter(site, "psoft_R.weight", this::nearIdentity, r, r);
            Tensor in = scalesIn ? g.parameter(site, "psoft_R.vector_a", Initializer.ONES, r) : null;
            Tensor out = scalesOut ? g.parameter(site, "psoft_R.vector_b", Initializer.ONES, r) : null;
            g.add(site, new Rotation(this, subspace, weight, in, out));
        }
    }

    private Tensor nearIdentity(Rng rng, long... shape) {
        Tensor one = Cayley.identity(shape[0], ScalarType.Float);
        return startAtIdentity ? one : one.add(rng.normal(0, 0.1, shape));
    }

    /** {@code A [r, in]} and {@code B [out, r]}. */
    private record Subspace(Tensor a, Tensor b) {}

    private Subspace subspace(Grafter g, Linear site) {
        if (g.isLoading() && g.storedShape(site, SIGNS) == null) {
            throw new InputException(
                    "peft_type PSOFT needs the signs of the singular vectors that the adapter was trained with,"
                            + " which PEFT's file doesn't have: another build of torch finds other ones, and "
                            + site.name()
                            + " would be turned wrongly; merge the adapter with PEFT where it was trained");
        }
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor w = Ops.to(site.weight().detach(), g.base().numerics().small());
            Svd svd = iterations == null ? Svd.of(w) : Svd.lowRank(w, r, iterations, seed);
            Tensor u = svd.u().narrow(1, 0, r);
            Tensor s = Ops.scale(svd.s().narrow(0, 0, r), r / alpha);
            Tensor v = svd.v().narrow(0, 0, r);
            Tensor signs = signs(v);
            Tensor wanted = g.indices(site, SIGNS, Storage.GRAFT_FILE, (rng, shape) -> signs, r);
            Tensor flips = signs.mul(Ops.to(wanted, v.scalar_type()));
            Tensor onA = halved ? s.sqrt() : Ops.plus(Ops.scale(s, 0), 1);
            Tensor onB = halved ? s.sqrt() : s;
            return new Subspace(
                    scope.release(v.mul(onA.mul(flips).unsqueeze(1)).contiguous()),
                    scope.release(u.mul(onB.mul(flips)).contiguous()));
        }
    }

    /** The sign of the largest entry of each row. */
    private static Tensor signs(Tensor rows) {
        return rows.gather(1, Ops.argmax(rows.abs(), 1).unsqueeze(1)).squeeze(1).sign();
    }

    private record Rotation(
            Psoft config,
            Subspace subspace,
            Tensor weight,
            @Nullable Tensor in,
            @Nullable Tensor out) implements Effect.Delta {
        /** R - I. */
        private Tensor change() {
            Tensor q = weight;
            if (config.orthogonal) {
                Tensor skew = Cayley.skew(weight, config.r);
                q = config.terms == null
                        ? Cayley.exact(skew.neg())
                        : Cayley.neumann(bounded(skew, config.bound), config.terms);
            }
            q = out == null ? q : q.mul(out.unsqueeze(1));
            q = in == null ? q : q.mul(in);
            return q.sub(Cayley.identity(q));
        }

        private static Tensor bounded(Tensor skew, @Nullable Double most) {
            if (most == null) {
                return skew;
            }
            Tensor norm = skew.norm();
            return Tensors.item(norm) <= most
                    ? skew
                    : skew.mul(Ops.plus(norm, 1e-12).reciprocal().mul(new Scalar(most)));
        }

        @Override
        public Tensor apply(Tensor x, PassView pass) {
            ScalarType type = x.scalar_type();
            Tensor dropped = Dropout.apply(x, config.dropout, pass.isTraining());
            Tensor inner = Ops.linear(dropped, Ops.to(subspace.a, type), null);
            Tensor turned = Ops.linear(inner, Ops.to(change(), type), null);
            return Ops.scale(Ops.linear(turned, Ops.to(subspace.b, type), null), config.alpha / config.r);
        }

        @Override
        public Tensor weight() {
            return Ops.scale(subspace.b.matmul(change()).matmul(subspace.a), config.alpha / config.r);
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        targets.write(json);
        json.put("r", r);
        PatternValue.put(json, "psoft_alpha", alpha);
        json.put("psoft_dropout", dropout);
        json.put("ab_svd_init", halved ? "pissa_init" : "psoft_init");
        json.put("psoft_svd", iterations == null ? "full" : "lowrank");
        json.put("psoft_svd_lowrank_niter", iterations == null ? ITERATIONS : iterations);
        json.put("random_seed", seed);
        json.put("psoft_orth", orthogonal);
        json.put("psoft_mag_b", scalesOut);
        json.put("psoft_mag_a", scalesIn);
        json.put("use_cayley_neumann", terms != null);
        json.put("num_cayley_neumann_terms", terms == null ? TERMS : terms);
        json.put("cayley_neumann_eps", bound);
        json.put("init_weights", startAtIdentity);
        json.put("fan_in_fan_out", false);
    }

    /** Registers {@code psoft}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "psoft";
        }

        @Override
        public String summary() {
            return "rotates a weight within its first singular directions";
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
            return "PSOFT";
        }

        @Override
        public List<String> required() {
            return List.of("r", "psoft_alpha");
        }

        @Override
        public Method read(Fields config, Base base) {
            config.bool("fan_in_fan_out", false);
            boolean lowRank =
                    config.choice("psoft_svd", "full", "full", "lowrank").equals("lowrank");
            boolean series = config.bool("use_cayley_neumann", false);
            int iterations = config.integer("psoft_svd_lowrank_niter", ITERATIONS, 0);
            int terms = config.integer("num_cayley_neumann_terms", TERMS);
            Double bound = config.numberOrNull("cayley_neumann_eps");
            return new Psoft(
                    config.integer("r", 32, 1),
                    config.number("psoft_alpha", 32),
                    config.number("psoft_dropout", 0),
                    config.choice("ab_svd_init", "psoft_init", "psoft_init", "pissa_init")
                            .equals("pissa_init"),
                    lowRank ? iterations : null,
                    config.integer("random_seed", 0),
                    config.bool("psoft_orth", true),
                    config.bool("psoft_mag_b", true),
                    config.bool("psoft_mag_a", true),
                    series ? terms : null,
                    series ? bound : null,
                    TargetModules.read(config),
                    config.bool("init_weights", true));
        }
    }
}
