package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.peft.Bias;
import dev.graft.peft.DefaultTargets;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
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
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * PVeRA, probabilistic VeRA (2025, arXiv 2512.07703): {@code y = W x + b + λ_b ⊙ B z} with {@code [μ, ln σ²] = λ_d ⊙ A x}. In training
 * {@code z = μ + ε ⊙ σ} with a normal ε for each token, in inference z = μ. {@code A [2r, in]}, {@code B [out, r]} are frozen, random and shared
 * by all layers, which use parts of the necessary size; {@code λ_d [2r]}, {@code λ_b [out]} are trained. λ_d starts at {@code d_initial} and λ_b
 * at zero, so a new adapter changes nothing. ln σ is limited to 2, as in soft actor-critic. In PEFT, without the limit, one large activation has
 * an infinite exponential.
 *
 * <p>Trained: 2r + out for a layer. Files: {@code <module>.pvera_lambda_d}, {@code <module>.pvera_lambda_b}, and the shared {@code pvera_A},
 * {@code pvera_B} unless {@code save_projection} is false: then they are redrawn from {@code projection_prng_key} with PyTorch's generator.
 * Merges, with μ. Use it like VeRA if there are few examples, which the noise keeps from being memorised. Not on embeddings; no sampling in
 * inference.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Pvera.DEFAULT, 42);
 * }</pre>
 *
 * @param r rank of the mean, and of the variance
 * @param dInitial the initial λ_d
 * @param dropout probability that an input of the update is dropped in training
 * @param startAtZero whether λ_b starts at zero; else it is ones and λ_d standard normal
 * @param generatorSeed PEFT's seed of ε; it has no effect here, where ε depends on the run's seed and the step
 */
@RecordBuilder
public record Pvera(
        int r,
        double dInitial,
        double dropout,
        SharedProjection projection,
        Bias bias,
        TargetModules targets,
        boolean startAtZero,
        @Nullable Integer generatorSeed)
        implements Method, PveraBuilder.With {
    /**
     * Rank 256, λ_d from 1 (PEFT's is 0.1, where the noise dominates the mean for long), every linear layer but the head.
     */
    public static final Pvera DEFAULT =
            new Pvera(256, 1, 0, SharedProjection.SAVED, Bias.NONE, TargetModules.ALL_LINEAR, true, null);

    /** The most that ln σ² may be. */
    private static final double LOG_VARIANCE = 4;

    public Pvera {
        if (r < 1) {
            throw new InputException("r is " + r + ", expected at least 1");
        }
        DropoutProbability.require("pvera_dropout", dropout);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        List<Linear> sites = g.linears(targets.orDefaults(g.base(), DefaultTargets.Table.VERA), "PVeRA");
        long in = sites.stream().mapToLong(Linear::in).max().orElseThrow();
        long out = sites.stream().mapToLong(Linear::out).max().orElseThrow();
        boolean saved = projection.saved();
        Tensor a = g.buffer("pvera_A", saved, (rng, shape) -> first(projection.rng(), in), 2L * r, in);
        Tensor b = g.buffer("pvera_B", saved, (rng, shape) -> second(in, out), out, r);
        Initializer initializer = startAtZero
                ? (rng, shape) -> Ops.scale(Initializer.ONES.create(rng, shape), dInitial)
                : Initializer.normal(1);
        for (Linear site : sites) {
            Tensor d = g.parameter(site, "pvera_lambda_d", initializer, 2L * r);
            Tensor scales =
                    g.parameter(site, "pvera_lambda_b", startAtZero ? Initializer.ZEROS : Initializer.ONES, site.out());
            Tensor part = a.narrow(1, 0, site.in());
            g.add(site, new Drawn(part, b.narrow(0, 0, site.out()), d, scales, dropout));
        }
        bias.graft(g, sites);
    }

    private Tensor first(TorchRng rng, long in) {
        return SharedProjection.kaiming(rng, 2L * r, in);
    }

    /** B, drawn behind A. */
    private Tensor second(long in, long out) {
        TorchRng rng = projection.rng();
        first(rng, in);
        return SharedProjection.kaiming(rng, out, r);
    }

    /**
     * The update of one layer.
     *
     * @param a {@code [2r, in]}
     * @param b {@code [out, r]}
     * @param d {@code [2r]}
     * @param scales {@code [out]}
     */
    private record Drawn(Tensor a, Tensor b, Tensor d, Tensor scales, double dropout) implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            Tensor input = Dropout.apply(x, dropout, pass.isTraining());
            Tensor z = half(input, 0);
            if (pass.isTraining()) {
                Tensor deviation = Ops.scale(half(input, 1).clamp_max(new Scalar(LOG_VARIANCE)), 0.5)
                        .exp();
                z = z.add(Ops.to(Dropout.normal(Tensors.shape(z)), z.scalar_type())
                        .mul(deviation));
            }
            ScalarType type = x.scalar_type();
            return Ops.linear(z, Ops.to(b, type), null).mul(Ops.to(scales, type));
        }

        /** μ, or the logarithm of σ², {@code [..., r]}. */
        private Tensor half(Tensor x, int which) {
            long r = b.size(1);
            ScalarType type = x.scalar_type();
            return Ops.linear(x, Ops.to(a.narrow(0, which * r, r), type), null)
                    .mul(Ops.to(d.narrow(0, which * r, r), type));
        }

        @Override
        public Tensor weight() {
            long r = b.size(1);
            Tensor down = a.narrow(0, 0, r).mul(d.narrow(0, 0, r).unsqueeze(-1));
            return b.mul(scales.unsqueeze(-1)).matmul(down);
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        json.put("r", r);
        json.put("d_initial", dInitial);
        json.put("pvera_dropout", dropout);
        projection.write(json);
        json.put("fan_in_fan_out", false);
        json.put("init_weights", startAtZero);
        json.put("sample_at_inference", false);
        json.put("generator_seed", generatorSeed);
        bias.write(json, "pvera_only");
        targets.orDefaults(base, DefaultTargets.Table.VERA).writeWithoutExclusions(json, base);
    }

    /** Registers {@code pvera}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "pvera";
        }

        @Override
        public String summary() {
            return "VeRA whose low-rank activations are drawn from a trained distribution in training";
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
            return "PVERA";
        }

        @Override
        public double rateFactor() {
            // Less than VeRA's: λ_d starts at ten times VeRA's.
            return 10;
        }

        @Override
        public List<String> required() {
            return List.of("r");
        }

        @Override
        public Method read(Fields config, Base base) {
            config.bool("fan_in_fan_out", false);
            if (config.bool("sample_at_inference", false)) {
                throw config.invalid(
                        "sample_at_inference", "false: what Graft answers doesn't change from one time to the next");
            }
            return new Pvera(
                    config.integer("r", 256, 1),
                    config.number("d_initial", 0.1),
                    config.number("pvera_dropout", 0),
                    SharedProjection.read(config),
                    Bias.read(config, "pvera_only"),
                    TargetModules.read(config),
                    config.bool("init_weights", true),
                    config.integerOrNull("generator_seed"));
        }
    }
}
