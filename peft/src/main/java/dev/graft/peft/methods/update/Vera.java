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
import dev.graft.tensor.TorchRng;
import dev.graft.tensor.ops.Dropout;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import tools.jackson.databind.node.ObjectNode;

/**
 * VeRA, vector-based random matrix adaptation (Kopiczko et al., 2024): {@code y = W x + b + λ_b ⊙ B (λ_d ⊙ A x)} with frozen random
 * {@code A [r, in]}, {@code B [out, r]} that all layers share and use in parts of the necessary size, and trained {@code λ_d [r]},
 * {@code λ_b [out]}. λ_d starts at {@code d_initial} and λ_b at zero, so a new adapter changes nothing.
 *
 * <p>Trained: r + out for a layer. Files: {@code <module>.vera_lambda_d}, {@code <module>.vera_lambda_b}, and the shared {@code vera_A},
 * {@code vera_B} unless {@code save_projection} is false: then they are redrawn from {@code projection_prng_key} with PyTorch's generator.
 * Merges. Use it if thousands of adapters of one base must be stored. Not on embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Vera.DEFAULT, 42);
 * }</pre>
 *
 * @param r the rank of the projections
 * @param dInitial the initial λ_d
 * @param dropout probability that an input of the update is dropped in training
 * @param startAtZero whether λ_b starts at zero; else it is ones and λ_d standard normal
 */
@RecordBuilder
public record Vera(
        int r,
        double dInitial,
        double dropout,
        SharedProjection projection,
        Bias bias,
        TargetModules targets,
        boolean startAtZero)
        implements Method, VeraBuilder.With {
    /** Rank 256, every linear layer but the head. */
    public static final Vera DEFAULT =
            new Vera(256, 0.1, 0, SharedProjection.SAVED, Bias.NONE, TargetModules.ALL_LINEAR, true);

    public Vera {
        if (r < 1) {
            throw new InputException("r is " + r + ", expected at least 1");
        }
        DropoutProbability.require("vera_dropout", dropout);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        List<Linear> sites = g.linears(targets.orDefaults(g.base(), DefaultTargets.Table.VERA), "VeRA");
        long in = sites.stream().mapToLong(Linear::in).max().orElseThrow();
        long out = sites.stream().mapToLong(Linear::out).max().orElseThrow();
        Tensor a = g.buffer(
                "vera_A", projection.saved(), (rng, shape) -> SharedProjection.kaiming(projection.rng(), r, in), r, in);
        Tensor b = g.buffer("vera_B", projection.saved(), (rng, shape) -> second(in, out), out, r);
        for (Linear site : sites) {
            Tensor d = g.parameter(
                    site,
                    "vera_lambda_d",
                    startAtZero
                            ? (rng, shape) -> Ops.scale(Initializer.ONES.create(rng, shape), dInitial)
                            : Initializer.normal(1),
                    r);
            Tensor scales =
                    g.parameter(site, "vera_lambda_b", startAtZero ? Initializer.ZEROS : Initializer.ONES, site.out());
            g.add(site, new Scaled(a, b, d, scales, site.in(), site.out(), dropout));
        }
        bias.graft(g, sites);
    }

    /** B, drawn behind A. */
    private Tensor second(long in, long out) {
        TorchRng rng = projection.rng();
        SharedProjection.kaiming(rng, r, in);
        return SharedProjection.kaiming(rng, out, r);
    }

    /** The update of one layer, which takes the first columns of A and the first rows of B. */
    private record Scaled(Tensor a, Tensor b, Tensor d, Tensor scales, long in, long out, double dropout)
            implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            ScalarType type = x.scalar_type();
            Tensor input = Dropout.apply(x, dropout, pass.isTraining());
            Tensor narrow =
                    Ops.linear(input, Ops.to(a.narrow(1, 0, in), type), null).mul(Ops.to(d, type));
            return Ops.linear(narrow, Ops.to(b.narrow(0, 0, out), type), null).mul(Ops.to(scales, type));
        }

        @Override
        public Tensor weight() {
            Tensor up = b.narrow(0, 0, out).mul(scales.unsqueeze(-1));
            return up.matmul(a.narrow(1, 0, in).mul(d.unsqueeze(-1)));
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        json.put("r", r);
        json.put("d_initial", dInitial);
        json.put("vera_dropout", dropout);
        projection.write(json);
        json.put("fan_in_fan_out", false);
        json.put("init_weights", startAtZero);
        bias.write(json, "vera_only");
        targets.orDefaults(base, DefaultTargets.Table.VERA).writeWithoutExclusions(json, base);
    }

    /** Registers {@code vera}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "vera";
        }

        @Override
        public String summary() {
            return "trains two vectors for each layer between random projections that all layers share";
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
            return "VERA";
        }

        @Override
        public double rateFactor() {
            return 30;
        }

        @Override
        public List<String> required() {
            return List.of("r");
        }

        @Override
        public Method read(Fields config, Base base) {
            config.bool("fan_in_fan_out", false);
            return new Vera(
                    config.integer("r", 256, 1),
                    config.number("d_initial", 0.1),
                    config.number("vera_dropout", 0),
                    SharedProjection.read(config),
                    Bias.read(config, "vera_only"),
                    TargetModules.read(config),
                    config.bool("init_weights", true));
        }
    }
}
