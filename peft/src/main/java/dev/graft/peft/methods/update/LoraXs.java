package dev.graft.peft.methods.update;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.TargetModules;
import dev.graft.peft.inits.Svd;
import dev.graft.peft.methods.internal.DropoutProbability;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.ops.Dropout;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import tools.jackson.databind.node.ObjectNode;

/**
 * LoRA-XS (Bałazy et al., 2024): {@code y = W x + b + s · B R A x} with s = alpha / r. Frozen {@code A [r, in]} and {@code B [out, r]} are W's
 * first r singular directions, {@code A = Σ_r V_rᵀ} and {@code B = U_r}; only the square {@code R [r, r]} is trained. R starts from a
 * normal distribution so narrow that a new adapter nearly equals the base.
 *
 * <p>Trained: r² for a layer, whatever its size. Files: {@code <module>.lora_xs_R.weight}, {@code <module>.lora_xs_A},
 * {@code <module>.lora_xs_B}. Merges.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, LoraXs.DEFAULT.withR(8), 42);
 * }</pre>
 *
 * @param r the rank; less for smaller layers
 * @param alpha the numerator of s
 * @param dropout probability that an input of the update is dropped in training
 * @param deviation the standard deviation of R at the start
 */
@RecordBuilder
public record LoraXs(int r, double alpha, double dropout, double deviation, TargetModules targets)
        implements Method, LoraXsBuilder.With {
    /** The settings of the paper's code, on every linear layer but the head. */
    public static final LoraXs DEFAULT = new LoraXs(16, 16, 0, 1e-5, TargetModules.ALL_LINEAR);

    public LoraXs {
        if (r < 1) {
            throw new InputException("r is " + r + ", expected at least 1");
        }
        if (!(deviation >= 0 && deviation < Double.POSITIVE_INFINITY)) {
            throw new InputException("init_std is " + deviation + ", expected 0 or more");
        }
        DropoutProbability.require("lora_dropout", dropout);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        for (Linear site : g.linears(targets, "LoRA-XS")) {
            long rank = Math.min(r, Math.min(site.in(), site.out()));
            Tensor a = g.buffer(
                    site.name() + ".lora_xs_A",
                    true,
                    (rng, shape) -> directions(site.weight(), rank, false),
                    rank,
                    site.in());
            Tensor b = g.buffer(
                    site.name() + ".lora_xs_B",
                    true,
                    (rng, shape) -> directions(site.weight(), rank, true),
                    site.out(),
                    rank);
            Tensor square = g.parameter(site, "lora_xs_R.weight", Initializer.normal(deviation), rank, rank);
            g.add(site, new Square(a, b, square, alpha / rank, dropout));
        }
    }

    /** Returns the first singular directions of a weight: U_r, or Σ_r V_rᵀ. */
    private static Tensor directions(Tensor weight, long rank, boolean left) {
        try (NoGrad noGrad = new NoGrad()) {
            Svd svd = Svd.of(Ops.to(weight, ScalarType.Float));
            return left
                    ? svd.u().narrow(1, 0, rank).contiguous()
                    : svd.v().narrow(0, 0, rank).mul(svd.s().narrow(0, 0, rank).unsqueeze(1));
        }
    }

    private record Square(Tensor a, Tensor b, Tensor square, double scaling, double dropout) implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            ScalarType type = x.scalar_type();
            Tensor narrow = Ops.linear(Dropout.apply(x, dropout, pass.isTraining()), Ops.to(a, type), null);
            Tensor turned = Ops.linear(narrow, Ops.to(square, type), null);
            return Ops.scale(Ops.linear(turned, Ops.to(b, type), null), scaling);
        }

        @Override
        public Tensor weight() {
            return Ops.scale(b.matmul(square).matmul(a), scaling);
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        json.put("r", r);
        json.put("lora_alpha", alpha);
        json.put("lora_dropout", dropout);
        json.put("init_std", deviation);
        targets.write(json);
    }

    /** Registers {@code lora-xs}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "lora-xs";
        }

        @Override
        public String summary() {
            return "trains a small square matrix between the main directions of frozen weights";
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL.withIdentityAtStart(false);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return "LORA_XS";
        }

        @Override
        public List<String> required() {
            return List.of("r", "lora_alpha");
        }

        @Override
        public Method read(Fields config, Base base) {
            return new LoraXs(
                    config.integer("r", 16, 1),
                    config.number("lora_alpha", 16),
                    config.number("lora_dropout", 0),
                    config.number("init_std", 1e-5),
                    TargetModules.read(config));
        }
    }
}
