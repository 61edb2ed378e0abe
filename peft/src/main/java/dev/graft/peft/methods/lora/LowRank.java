package dev.graft.peft.methods.lora;

import dev.graft.formats.InputException;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Factors;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Statistics;
import dev.graft.peft.inits.InitContext;
import dev.graft.peft.inits.Loftq;
import dev.graft.peft.inits.LoraInit;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import dev.graft.tensor.ops.FusedOps;
import dev.graft.tensor.ops.LowRankFactors;
import dev.graft.tensor.ops.Products;
import dev.graft.tensor.ops.Tape;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The low-rank update of LoRA and its variants: {@code f(x) = s · B A x}. If the initialisation takes A₀ and B₀ from the base's weight (PiSSA,
 * OLoRA), {@code s · B₀ A₀ x} is subtracted and the base stays unchanged.
 *
 * @param a {@code [r, in]}
 * @param b {@code [out, r]}
 * @param bias {@code [out]} or null
 * @param scaling s
 * @param start A₀ and B₀, or null
 * @param site its layer; on a convolution A is {@code [r, in, kernel...]}, which moves like the layer's kernels but reads all channels, and B
 *     {@code [out, r / groups, 1...]}
 */
@RecordBuilder
public record LowRank(
        Tensor a,
        Tensor b,
        @Nullable Tensor bias,
        double scaling,
        double dropout,
        @Nullable Factors start,
        Site site) implements Effect.Delta, LowRankBuilder.With {

    /** Declares A {@code [r, in]} and B {@code [out, r]} of a linear layer. */
    static LowRank of(Grafter g, Linear site, LoraConfig config) {
        return of(g, site, config, true, g.type());
    }

    /** Creates an update whose A keeps its initial value. */
    static LowRank withFrozenA(Grafter g, Linear site, LoraConfig config) {
        return of(g, site, config, false, g.type());
    }

    /**
     * Creates an update for callers that need only the products of A and B in the layer's type. When served on a bf16 layer, it keeps A and B in
     * that type.
     */
    static LowRank ofProducts(Grafter g, Linear site, LoraConfig config) {
        boolean same =
                site.type().value == ScalarType.BFloat16.value && config.init().offset() == LoraInit.Offset.NONE;
        return of(g, site, config, true, g.isServing() && same ? ScalarType.BFloat16 : g.type());
    }

    private static LowRank of(Grafter g, Linear site, LoraConfig config, boolean trainsA, ScalarType type) {
        int r = config.rank(site.name());
        double s = config.scaling(site.name());
        LoraInit init = config.init();
        boolean lost = g.isLoading() && init.offset() == LoraInit.Offset.OF_DATA;
        if (lost) {
            throw new InputException("init_lora_weights is " + init.name()
                    + ": what it took off the base isn't in the file and can't be found again; save the adapter in PEFT"
                    + " with path_initial_model_for_weight_conversion");
        }
        try (InitialFactors start =
                new InitialFactors(init, site, r, s, () -> g.base().originalWeight(site), g.statistics())) {
            String down = "lora_A.weight";
            String up = "lora_B.weight";
            Tensor a = trainsA
                    ? g.parameter(site, down, type, start::a, r, site.in())
                    : g.frozen(site, down, start::a, r, site.in());
            Tensor b = init.trainsB()
                    ? g.parameter(site, up, type, start::b, site.out(), r)
                    : g.frozen(site, up, start::b, site.out(), r);
            if (init instanceof Loftq loftq && !site.isQuantized()) {
                Tensor rounded = g.buffer(
                        site.name() + ".loftq",
                        false,
                        (rng, shape) -> loftq.rounded(start.place(rng)),
                        site.out(),
                        site.in());
                g.add(site, new Effect.Replace(site.stored(Ops.to(rounded, site.type())), null));
            }
            Tensor bias = config.loraBias() ? g.parameter(site, "lora_B.bias", Initializer.ZEROS, site.out()) : null;
            if (init.offset() == LoraInit.Offset.NONE) {
                return new LowRank(a, b, bias, s, config.dropout(), null, site);
            }
            Tensor a0 = g.buffer(site.name() + ".lora_A.start", false, start::a, r, site.in());
            Tensor b0 = g.buffer(site.name() + ".lora_B.start", false, start::b, site.out(), r);
            if (init.offset() == LoraInit.Offset.OF_DATA) {
                g.export(site.name() + "." + down, () -> Ops.cat(0, a, a0));
                g.export(site.name() + "." + up, () -> Ops.cat(1, b, b0.neg()));
            }
            return new LowRank(a, b, bias, s, config.dropout(), new Factors(a0, b0), site);
        }
    }

    /** The initial values of A and B, computed together when one of them is first needed. */
    private static final class InitialFactors implements AutoCloseable {
        private final LoraInit init;
        private final Linear site;
        private final int rank;
        private final double scaling;
        private final Supplier<Tensor> unquantised;
        private final @Nullable Statistics statistics;
        private @Nullable Factors made;

        private InitialFactors(
                LoraInit init,
                Linear site,
                int rank,
                double scaling,
                Supplier<Tensor> unquantised,
                @Nullable Statistics statistics) {
            this.unquantised = unquantised;
            this.init = init;
            this.site = site;
            this.rank = rank;
            this.scaling = scaling;
            this.statistics = statistics;
        }

        Tensor a(Rng rng, long... shape) {
            return made(rng).a().clone();
        }

        Tensor b(Rng rng, long... shape) {
            return made(rng).b().clone();
        }

        private InitContext place(Rng rng) {
            return new InitContext(site, rank, scaling, rng, unquantised, statistics);
        }

        private Factors made(Rng rng) {
            Factors known = made;
            if (known == null) {
                try (NoGrad noGrad = new NoGrad();
                        Scope scope = new Scope()) {
                    Factors found = init.factors(place(rng));
                    known = new Factors(
                            scope.release(found.a().contiguous()),
                            scope.release(found.b().contiguous()));
                    made = known;
                }
            }
            return known;
        }

        @Override
        public void close() {
            if (made != null) {
                made.a().close();
                made.b().close();
            }
        }
    }

    /** Declares A and B of a convolution. */
    static LowRank of(Grafter g, Convolution site, LoraConfig config) {
        int r = config.rank(site.name());
        int groups = site.geometry().groups();
        if (r % groups != 0) {
            throw new InputException("r is " + r + " for " + site.name() + ", a convolution in " + groups
                    + " groups: it must be a multiple of " + groups);
        }
        String start = config.init().name();
        if (!List.of("true", "false", "gaussian").contains(start)) {
            throw new InputException("init_lora_weights \"" + start + "\" is for linear layers, " + site.name()
                    + " is a convolution: use true, false or gaussian");
        }
        long[] down = Tensors.shape(site.weight());
        down[0] = r;
        down[1] = site.in();
        Tensor a = g.parameter(
                site,
                "lora_A.weight",
                start.equals("gaussian") ? Initializer.normal(1.0 / r) : Initializer.KAIMING,
                down);
        Tensor b = g.parameter(
                site,
                "lora_B.weight",
                start.equals("false") ? Initializer.KAIMING : Initializer.ZEROS,
                site.shape(site.out(), r / groups));
        Tensor bias = config.loraBias() ? g.parameter(site, "lora_B.bias", Initializer.ZEROS, site.out()) : null;
        return new LowRank(a, b, bias, config.scaling(site.name()), config.dropout(), null, site);
    }

    /** Declares A {@code [r, rows]} and B {@code [hidden, r]} of an embedding; here A starts at zero. */
    static LowRank of(Grafter g, Embedding site, LoraConfig config) {
        int r = config.rank(site.name());
        boolean both = config.init().name().equals("false");
        Tensor a =
                g.parameter(site, "lora_embedding_A", both ? Initializer.normal(1) : Initializer.ZEROS, r, site.rows());
        Tensor b = g.parameter(site, "lora_embedding_B", Initializer.normal(1), site.hidden(), r);
        return new LowRank(a, b, null, config.scaling(site.name()), 0, null, site);
    }

    @Override
    public Tensor apply(Tensor x, PassView pass) {
        if (site instanceof Embedding table) {
            return Ops.scale(Ops.linear(Ops.embedding(a.t(), x, table.padding()), b, null), scaling);
        }
        ScalarType type = x.scalar_type();
        Tensor y = path(Dropout.apply(x, dropout, pass.isTraining()), a, b, bias, type);
        return start == null ? y : y.sub(path(x, start.a(), start.b(), null, type));
    }

    /** {@code s · B z}, and s times the bias. */
    Tensor up(Tensor narrow) {
        ScalarType type = narrow.scalar_type();
        return Ops.linear(
                Ops.scale(narrow, scaling),
                Ops.to(b, type),
                bias == null ? null : Ops.to(Ops.scale(bias, scaling), type));
    }

    private Tensor path(Tensor x, Tensor down, Tensor up, @Nullable Tensor upBias, ScalarType type) {
        Tensor scaledBias = upBias == null ? null : Ops.to(Ops.scale(upBias, scaling), type);
        if (site instanceof Convolution c) {
            Tensor channels = c.geometry().ungrouped().apply(x, Ops.to(down, type), null);
            return Convolution.Geometry.unit(c.kernel().length, c.geometry().groups())
                    .apply(Ops.scale(channels, scaling), Ops.to(up, type), scaledBias);
        }
        Tensor narrow = Ops.scale(Ops.linear(x, Ops.to(down, type), null), scaling);
        return Ops.linear(narrow, Ops.to(up, type), scaledBias);
    }

    /** Returns ΔW; null for a grouped convolution, since A mixes channels that its kernels separate. */
    @Override
    public @Nullable Tensor weight() {
        return site instanceof Convolution c && c.geometry().groups() > 1 ? null : product();
    }

    /** {@code s · B A} in the shape of the layer's weight. */
    Tensor product() {
        if (site instanceof Convolution c) {
            // With groups this is no update that a kernel can have, but what PEFT's DoRA takes the norm of.
            long r = a.size(0);
            return Ops.scale(b.reshape(-1, r).matmul(a.reshape(r, -1)), scaling).reshape(Tensors.shape(c.weight()));
        }
        Tensor product = site instanceof Embedding ? a.t().matmul(b.t()) : b.matmul(a);
        if (start != null) {
            product = product.sub(start.b().matmul(start.a()));
        }
        return Ops.scale(product, scaling);
    }

    @Override
    public @Nullable Factors factors() {
        if (site instanceof Convolution c && c.geometry().groups() > 1) {
            return null;
        }
        if (site instanceof Embedding) {
            return new Factors(b.t(), Ops.scale(a.t(), scaling));
        }
        Tensor down = a.flatten(1, -1);
        Tensor up = Ops.scale(b.flatten(1, -1), scaling);
        if (start == null) {
            return new Factors(down, up);
        }
        return new Factors(Ops.cat(0, down, start.a()), Ops.cat(1, up, Ops.scale(start.b(), -scaling)));
    }

    @Override
    public @Nullable LowRankFactors scaledFactors() {
        boolean plain = site instanceof Linear && start == null && a.is_contiguous() && b.is_contiguous();
        return plain ? new LowRankFactors(a, b, scaling) : null;
    }

    @Override
    public @Nullable Tensor bias() {
        return bias == null ? null : Ops.scale(bias, scaling);
    }

    /** Returns a copy of the update that isn't trained. */
    LowRank detached() {
        return with().a(a.detach())
                .b(b.detach())
                .bias(bias == null ? null : bias.detach())
                .build();
    }

    LowRank withoutDropout() {
        return with().dropout(0).build();
    }

    /**
     * Plain LoRA's gradient: with D the dropout's mask and z = s · A (x ⊙ D), {@code dB = dyᵀ z}, {@code dz = s · dy B},
     * {@code dA = dzᵀ (x ⊙ D)}, {@code dx += (dz A) ⊙ D}.
     */
    @Override
    public Effect.@Nullable ManualGradientDelta manualGradient() {
        return site instanceof Linear && start == null && bias == null ? new Formula(a, b, scaling, dropout) : null;
    }

    private static final class Formula implements Effect.ManualGradientDelta {
        private final Tensor a;
        private final Tensor b;
        private final double scaling;
        private final double dropout;
        private Dropout.@Nullable Mask mask;

        private Formula(Tensor a, Tensor b, double scaling, double dropout) {
            this.a = a;
            this.b = b;
            this.scaling = scaling;
            this.dropout = dropout;
        }

        private Tensor dropped(Tensor x) {
            return mask == null ? x : mask.apply(x);
        }

        private Tensor product(Tensor x, Tensor matrix, @Nullable Tensor sum) {
            return Products.product(x, matrix, null, sum);
        }

        @Override
        public boolean trains() {
            return a.requires_grad() || b.requires_grad();
        }

        @Override
        public List<Tensor> forward(Tensor x, @Nullable Tensor sum) {
            mask = Dropout.draw(dropout, x);
            Tensor z = product(dropped(x), FusedOps.cast(a, x.scalar_type()).t(), null)
                    .mul_(new Scalar(scaling));
            Tensor up = FusedOps.cast(b, x.scalar_type()).t();
            return List.of(product(z, up, sum), z);
        }

        @Override
        public int kept() {
            return 1;
        }

        @Override
        public void backward(Tensor x, Tensor gradient, List<Tensor> kept, @Nullable Tensor dx) {
            if (b.requires_grad()) {
                Tape.accumulateProduct(b, gradient.t(), kept.get(0));
            }
            Tensor dz =
                    product(gradient, FusedOps.cast(b, x.scalar_type()), null).mul_(new Scalar(scaling));
            if (a.requires_grad()) {
                Tape.accumulateProduct(a, dz.t(), dropped(x));
            }
            if (dx == null) {
                return;
            }
            Tensor down = FusedOps.cast(a, x.scalar_type());
            if (mask == null) {
                product(dz, down, dx);
            } else {
                dx.add_(mask.applyInPlace(product(dz, down, null)));
            }
        }
    }
}
