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
import dev.graft.tensor.ops.Dropout;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import tools.jackson.databind.node.ObjectNode;

/**
 * DeLoRA, decoupled low-rank adaptation (Bini et al., 2025): {@code y = W x + b + B diag(λ / r / (‖A_i‖ ‖B_i‖)) A (w ⊙ x)} with
 * {@code A [r, in]}, {@code B [out, r]}, a trained number λ, and w the norms of the columns of the frozen W. Direction and strength are
 * decoupled: for any A and B, λ bounds the update's size. A starts Kaiming-uniform and B at zero, so a new adapter changes nothing.
 *
 * <p>Trained: r · (in + out) + 1 for a layer. Files: {@code <module>.delora_A}, {@code delora_B}, {@code delora_lambda} and
 * {@code delora_w_norm}, which isn't trained. Merges. Use it if training must not diverge: high learning rates, long training. Not on embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Delora.DEFAULT, 42);
 * }</pre>
 *
 * @param r the rank
 * @param lambda the initial λ
 * @param dropout probability that an input of the update is dropped in training
 * @param startAtZero whether B starts at zero; else it is Kaiming-uniform too
 */
@RecordBuilder
public record Delora(
        PatternValue<Integer> r,
        PatternValue<Double> lambda,
        double dropout,
        Bias bias,
        TargetModules targets,
        boolean startAtZero)
        implements Method, DeloraBuilder.With {
    /** Rank 8, λ = 1, every linear layer but the head. */
    public static final Delora DEFAULT =
            new Delora(PatternValue.of(8), PatternValue.of(1.0), 0, Bias.NONE, TargetModules.ALL_LINEAR, true);

    /** Norms below this count as this. */
    private static final double LEAST = 1e-4;

    public Delora {
        if (r.value() < 1) {
            throw new InputException("r is " + r.value() + ", expected at least 1");
        }
        DropoutProbability.require("module_dropout", dropout);
    }

    /** Returns a copy with this rank for every module. */
    public Delora withR(int rank) {
        return withR(PatternValue.of(rank));
    }

    /** Returns a copy with this λ for every module. */
    public Delora withLambda(double value) {
        return withLambda(PatternValue.of(value));
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        List<Linear> sites = g.linears(targets, "DeLoRA");
        for (Linear site : sites) {
            int rank = r.at(site.name());
            double start = lambda.at(site.name());
            Tensor a = g.parameter(site, "delora_A", Initializer.KAIMING, rank, site.in());
            Tensor b = g.parameter(
                    site, "delora_B", startAtZero ? Initializer.ZEROS : Initializer.KAIMING, site.out(), rank);
            Tensor bound = g.parameter(
                    site, "delora_lambda", (rng, shape) -> Ops.scale(Initializer.ONES.create(rng, shape), start), 1);
            Tensor norms = g.buffer(
                    site.name() + ".delora_w_norm",
                    true,
                    (rng, shape) -> Ops.norm(Ops.to(site.weight(), a.scalar_type()), 0, false),
                    site.in());
            g.add(site, new Bounded(a, b, bound, norms, dropout));
        }
        bias.graft(g, sites);
    }

    private record Bounded(Tensor a, Tensor b, Tensor bound, Tensor norms, double dropout) implements Effect.Delta {
        /** λ / r / (‖A_i‖ ‖B_i‖), {@code [r]}. */
        private Tensor strengths() {
            Scalar least = new Scalar(LEAST);
            Tensor sizes = Ops.norm(a, 1, false)
                    .clamp_min(least)
                    .mul(Ops.norm(b, 0, false).clamp_min(least));
            return Ops.scale(bound, 1.0 / a.size(0)).div(sizes);
        }

        @Override
        public Tensor apply(Tensor x, PassView pass) {
            ScalarType type = x.scalar_type();
            Tensor input = Dropout.apply(x, dropout, pass.isTraining()).mul(Ops.to(norms, type));
            Tensor narrow = Ops.linear(input, Ops.to(a, type), null).mul(Ops.to(strengths(), type));
            return Ops.linear(narrow, Ops.to(b, type), null);
        }

        @Override
        public Tensor weight() {
            return b.mul(strengths()).matmul(a).mul(norms);
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        r.write(json, "r", "rank_pattern");
        lambda.write(json, "delora_lambda", "lambda_pattern");
        json.put("module_dropout", dropout);
        json.put("init_weights", startAtZero);
        bias.write(json, "delora_only");
        targets.write(json);
    }

    /** Registers {@code delora}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "delora";
        }

        @Override
        public String summary() {
            return "adds a low-rank update whose size a trained number bounds";
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
            return "DELORA";
        }

        @Override
        public List<String> required() {
            return List.of("r");
        }

        @Override
        public Method read(Fields config, Base base) {
            return new Delora(
                    PatternValue.readIntegers(config, "r", 8, 1, "rank_pattern"),
                    PatternValue.readNumbers(config, "delora_lambda", 15, "lambda_pattern"),
                    config.number("module_dropout", 0),
                    Bias.read(config, "delora_only"),
                    TargetModules.read(config),
                    config.bool("init_weights", true));
        }
    }
}
