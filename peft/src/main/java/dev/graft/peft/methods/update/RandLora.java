package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.peft.Bias;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.PatternValue;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.internal.DropoutProbability;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.TorchRng;
import dev.graft.tensor.ops.Dropout;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import tools.jackson.databind.node.ObjectNode;

/**
 * RandLoRA (Albert et al., 2025): a full-rank update from n = ⌈min(in, out) / r⌉ frozen random bases of rank r,
 * {@code ΔW = s · Σ_n B_n diag(Λ_n) A diag(Γ_n)} with {@code B_n [max, r]}, {@code A [r, min]} that all layers share, trained {@code Λ [r, n]},
 * {@code Γ [n, min]} and s = alpha / r; if {@code in} is the larger side, ΔW is the transpose of that. Λ starts at zero and Γ at 1 / max(n, min),
 * so a new adapter changes nothing.
 *
 * <p>Trained: n · (r + min(in, out)) for a layer: more with a smaller r. Files: {@code <module>.randlora_lambda}, {@code randlora_gamma}, and
 * {@code randlora_A}, {@code randlora_B}, shared and again for each layer, unless {@code save_projection} is false: then they are redrawn from
 * {@code projection_prng_key} with PyTorch's generator. Merges. Use it if the rank of LoRA is the limit. Not on embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, RandLora.DEFAULT, 42);
 * }</pre>
 *
 * @param r rank of a basis
 * @param alpha scaling numerator
 * @param dropout probability that an input of the update is dropped in training
 * @param sparsity the values of the bases
 * @param startAtZero whether Λ starts at zero; else it is standard normal
 */
@RecordBuilder
public record RandLora(
        int r,
        double alpha,
        double dropout,
        Sparsity sparsity,
        SharedProjection projection,
        Bias bias,
        TargetModules targets,
        boolean startAtZero)
        implements Method, RandLoraBuilder.With {
    /** Rank 32, alpha 640, every linear layer but the head. */
    public static final RandLora DEFAULT =
            new RandLora(32, 640, 0, Sparsity.DENSE, SharedProjection.SAVED, Bias.NONE, TargetModules.ALL_LINEAR, true);

    /** The values of the bases, before the division by their deviation. */
    public enum Sparsity {
        /** Uniform. */
        DENSE,
        /** -1, 0 or 1 with probabilities 1/6, 2/3 and 1/6. */
        SPARSE,
        /** -1, 0 or 1 with probabilities 1 / (2 √min), 1 - 1 / √min and 1 / (2 √min). */
        VERY_SPARSE
    }

    public RandLora {
        if (r < 1) {
            throw new InputException("r is " + r + ", expected at least 1");
        }
        DropoutProbability.require("randlora_dropout", dropout);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        List<Linear> sites = g.linears(targets, "RandLoRA");
        long in = sites.stream().mapToLong(Linear::in).max().orElseThrow();
        long out = sites.stream().mapToLong(Linear::out).max().orElseThrow();
        long min = Math.min(in, out);
        long max = Math.max(in, out);
        Tensor a = g.buffer("randlora_A", projection.saved(), (rng, shape) -> draw(min, max)[0], r, 1, min);
        Tensor b = g.buffer("randlora_B", projection.saved(), (rng, shape) -> draw(min, max)[1], max, bases(min), r);
        for (Linear site : sites) {
            long narrow = Math.min(site.in(), site.out());
            long n = bases(narrow);
            Tensor lambda =
                    g.parameter(site, "randlora_lambda", startAtZero ? Initializer.ZEROS : Initializer.normal(1), r, n);
            double start = 1.0 / (startAtZero ? Math.max(n, narrow) : Math.max(site.in(), site.out()));
            Tensor gamma = g.parameter(
                    site,
                    "randlora_gamma",
                    (rng, shape) -> Ops.scale(Initializer.ONES.create(rng, shape), start),
                    n,
                    narrow);
            if (projection.saved()) {
                g.alias(site.name() + ".randlora_A", a);
                g.alias(site.name() + ".randlora_B", b);
            }
            g.add(site, new Bases(a, b, lambda, gamma, site.in(), site.out(), alpha / r, dropout));
        }
        bias.graft(g, sites);
    }

    /** Returns the number of bases that fill the rank of a side. */
    private long bases(long side) {
        return (side + r - 1) / r;
    }

    /** Draws A and B as PEFT does; the dense ones are bf16, which PEFT uses wherever the processor supports it. */
    private Tensor[] draw(long min, long max) {
        TorchRng rng = projection.rng();
        Tensor a;
        Tensor b;
        if (sparsity == Sparsity.DENSE) {
            a = coarse(rng, min, r, 1, min);
            Tensor[] parts = new Tensor[Math.toIntExact(bases(min))];
            for (int i = 0; i < parts.length; i++) {
                parts[i] = coarse(rng, r, max, 1, r);
            }
            b = Ops.cat(1, parts);
        } else {
            double s = sparsity == Sparsity.SPARSE ? 3 : Math.sqrt(min);
            a = signs(rng.uniform(0, 1, r, 1, min), s);
            b = signs(rng.uniform(0, 1, max, bases(min), r), s);
        }
        return new Tensor[] {Ops.to(a.div(a.std()), ScalarType.Float), Ops.to(b.div(b.std()), ScalarType.Float)};
    }

    /**
     * PyTorch's Kaiming-uniform initialisation with a = √5 in bf16: drawn in fp32 and rounded; what is rounded up to the bound, which doesn't
     * belong to the range, becomes its other end.
     */
    private static Tensor coarse(TorchRng rng, long fanIn, long... shape) {
        double gain = Math.sqrt(2.0 / (1 + Math.pow(Math.sqrt(5), 2)));
        double bound = Math.sqrt(3.0) * (gain / Math.sqrt(fanIn));
        Tensor drawn = Ops.to(rng.uniform(-bound, bound, shape), ScalarType.BFloat16);
        Tensor end = Ops.to(Tensors.of(new float[] {(float) bound}, 1), ScalarType.BFloat16);
        return drawn.where(drawn.lt(end), end.neg());
    }

    private static Tensor signs(Tensor uniform, double s) {
        Tensor low = uniform.lt(new Scalar(1 / (2 * s)));
        Tensor high = uniform.gt(new Scalar(1 - 1 / (2 * s)));
        return Ops.to(high, ScalarType.Float).sub(Ops.to(low, ScalarType.Float));
    }

    /** The update of one layer, which takes the part of A and B that its sizes need. */
    private record Bases(
            Tensor a, Tensor b, Tensor lambda, Tensor gamma, long in, long out, double scaling, double dropout)
            implements Effect.Delta {
        /** {@code diag(Λ_n) A diag(Γ_n)}, {@code [r · n, min]}. */
        private Tensor scaled() {
            Tensor part = a.narrow(2, 0, Math.min(in, out));
            return lambda.unsqueeze(-1).mul(part).mul(gamma.unsqueeze(0)).flatten(0, 1);
        }

        /** The B_n side by side, {@code [max, n · r]}. */
        private Tensor flat() {
            return b.narrow(0, 0, Math.max(in, out)).narrow(1, 0, gamma.size(0)).flatten(1, 2);
        }

        @Override
        public Tensor apply(Tensor x, PassView pass) {
            ScalarType type = x.scalar_type();
            Tensor trained = Ops.to(scaled(), type);
            Tensor random = Ops.to(flat(), type);
            Tensor input = Dropout.apply(x, dropout, pass.isTraining());
            boolean wide = in > out;
            Tensor narrow = Ops.linear(input, wide ? random.t() : trained, null);
            return Ops.scale(Ops.linear(narrow, wide ? trained.t() : random, null), scaling);
        }

        @Override
        public Tensor weight() {
            Tensor product = flat().matmul(scaled());
            return Ops.scale(in > out ? product.t() : product, scaling);
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        json.put("r", r);
        PatternValue.put(json, "randlora_alpha", alpha);
        json.put("randlora_dropout", dropout);
        json.put("sparse", sparsity == Sparsity.SPARSE);
        json.put("very_sparse", sparsity == Sparsity.VERY_SPARSE);
        projection.write(json);
        json.put("fan_in_fan_out", false);
        json.put("init_weights", startAtZero);
        bias.write(json, "randlora_only");
        targets.writeWithoutExclusions(json, base);
    }

    /** Registers {@code randlora}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "randlora";
        }

        @Override
        public String summary() {
            return "adds a full-rank update from random bases with trained diagonals";
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
            return "RANDLORA";
        }

        @Override
        public double rateFactor() {
            return 0.3;
        }

        @Override
        public List<String> required() {
            return List.of("r", "randlora_alpha");
        }

        @Override
        public Method read(Fields config, Base base) {
            config.bool("fan_in_fan_out", false);
            boolean sparse = config.bool("sparse", false);
            boolean verySparse = config.bool("very_sparse", false);
            return new RandLora(
                    config.integer("r", 32, 1),
                    config.number("randlora_alpha", 640),
                    config.number("randlora_dropout", 0),
                    verySparse ? Sparsity.VERY_SPARSE : sparse ? Sparsity.SPARSE : Sparsity.DENSE,
                    SharedProjection.read(config),
                    Bias.read(config, "randlora_only"),
                    TargetModules.read(config),
                    config.bool("init_weights", true));
        }
    }
}
