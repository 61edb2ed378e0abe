package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Pass;
import dev.graft.models.sites.Linear;
import dev.graft.peft.ByModule;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import dev.graft.peft.Method;
import dev.graft.peft.Targets;
import dev.graft.tensor.Ops;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import tools.jackson.databind.node.ObjectNode;

/**
 * DeLoRA, decoupled low-rank adaptation (Bini et al., 2025): {@code y = W x + b + B diag(λ / r / (‖A_i‖ ‖B_i‖)) A (w ⊙ x)} with
 * {@code A [r, in]}, {@code B [out, r]}, a trained number λ, and w the norms of the columns of the frozen W. Directions and strength are
 * apart: whatever A and B do, the update's size is bounded by λ. A starts Kaiming-uniform and B at zero, so a new adapter changes nothing.
 *
 * <p>Trained: r · (in + out) + 1 for a layer. Files: {@code <module>.delora_A}, {@code delora_B}, {@code delora_lambda} and
 * {@code delora_w_norm}, which isn't trained. Merges. Use it where training must not run away: high learning rates, long training. Not on
 * embeddings.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Delora.DEFAULT, 42);
 * }</pre>
 *
 * @param r rank
 * @param lambda what λ starts at
 * @param dropout probability that an input of the update is dropped in training
 * @param startAtZero whether B starts at zero; else it is Kaiming-uniform too
 */
public record Delora(
        ByModule<Integer> r, ByModule<Double> lambda, double dropout, Bias bias, Targets targets, boolean startAtZero)
        implements Method {
    /** Rank 8, λ = 1, every linear layer but the head. */
    public static final Delora DEFAULT =
            new Delora(ByModule.of(8), ByModule.of(1.0), 0, Bias.NONE, Targets.ALL_LINEAR, true);

    /** Norms below this count as this. */
    private static final double LEAST = 1e-4;

    public Delora {
        if (r.value() < 1) {
            throw new InputException("r is " + r.value() + ", expected at least 1");
        }
        Probability.require("module_dropout", dropout);
    }

    public Delora withRank(int newR, double newLambda) {
        return new Delora(ByModule.of(newR), ByModule.of(newLambda), dropout, bias, targets, startAtZero);
    }

    public Delora withTargets(Targets newTargets) {
        return new Delora(r, lambda, dropout, bias, newTargets, startAtZero);
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
            Tensor a = g.parameter(site, "delora_A", Initial.KAIMING, rank, site.in());
            Tensor b = g.parameter(site, "delora_B", startAtZero ? Initial.ZEROS : Initial.KAIMING, site.out(), rank);
            Tensor bound = g.parameter(
                    site, "delora_lambda", (rng, shape) -> Ops.scale(Initial.ONES.make(rng, shape), start), 1);
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
        public Tensor apply(Tensor x, Pass pass) {
            ScalarType type = x.scalar_type();
            Tensor input = Ops.dropout(x, dropout, pass.isTraining()).mul(Ops.to(norms, type));
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
            return new Capabilities(true, true, true, true);
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
                    ByModule.integers(config, "r", 8, 1, "rank_pattern"),
                    ByModule.numbers(config, "delora_lambda", 15, "lambda_pattern"),
                    config.number("module_dropout", 0),
                    Bias.read(config, "delora_only"),
                    Targets.read(config),
                    config.bool("init_weights", true));
        }
    }
}
