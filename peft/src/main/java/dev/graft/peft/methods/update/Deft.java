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
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.internal.DropoutProbability;
import dev.graft.tensor.Ops;
import dev.graft.tensor.ops.Dropout;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import java.util.Locale;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * DEFT, decompositional fine-tuning: replaces W's outputs in a trained subspace by learned ones, {@code ΔW = Q (s R - Sᵀ W)} with W the frozen
 * weight, {@code P [out, r]} and {@code R [r, in]}. With {@code qr} Q = S is an orthonormal basis of P's columns, so {@code Q Sᵀ} is a
 * projection; with {@code relu} Q = P and S = ReLU(P). Without R, which is the method PaRa, the subspace is only removed. P starts normal with
 * deviation 0.02 and R at {@code Sᵀ W / s}, so a new adapter changes nothing; a new one of PaRa does.
 *
 * <p>Trained: r · (in + out) for a layer, r · out without R; r is at most out. Files: {@code <module>.deft_P}, {@code deft_R}. Merges: W + ΔW.
 * Use it to replace a behaviour of the base. Every call computes {@code Sᵀ W}, which costs r · in · out. Not on embeddings and convolutions.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Deft.DEFAULT, 42);
 * }</pre>
 *
 * @param r the dimension of the subspace
 * @param alpha s is this divided by r; null for 1
 * @param decomposition the way in which P determines the subspace
 * @param removes whether there is no R
 * @param scale the scale of a random start of R
 * @param dropout probability that an input of R is dropped in training
 * @param startAtIdentity whether R starts at the identity; else it is normal with deviation 0.02 times the scale
 */
@RecordBuilder
public record Deft(
        int r,
        @Nullable Integer alpha,
        Decomposition decomposition,
        boolean removes,
        double scale,
        double dropout,
        Bias bias,
        TargetModules targets,
        boolean startAtIdentity)
        implements Method, DeftBuilder.With {
    /** Eight dimensions by ReLU, every linear layer but the head. */
    public static final Deft DEFAULT =
            new Deft(8, null, Decomposition.RELU, false, 1, 0, Bias.NONE, TargetModules.ALL_LINEAR, true);

    /** The way in which P determines the subspace. */
    public enum Decomposition {
        RELU,
        QR
    }

    public Deft {
        if (r < 1) {
            throw new InputException("r is " + r + ", expected at least 1");
        }
        DropoutProbability.require("deft_dropout", dropout);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        List<Linear> sites = g.linears(targets, "DEFT");
        for (Linear site : sites) {
            long rank = Math.min(r, site.out());
            double strength = alpha == null || alpha == 0 ? 1 : (double) alpha / rank;
            Tensor p = g.parameter(site, "deft_P", Initializer.normal(0.02), site.out(), rank);
            Subspace space = new Subspace(site, p, decomposition == Decomposition.QR);
            Initializer initializer = startAtIdentity
                    ? (rng, shape) -> Ops.scale(space.taken().detach(), 1 / strength)
                    : Initializer.normal(0.02 * scale);
            Tensor put = removes ? null : g.parameter(site, "deft_R", initializer, rank, site.in());
            g.add(site, new Replacement(space, put, strength, dropout));
        }
        bias.graft(g, sites);
    }

    /** The subspace of the outputs of a frozen layer, whatever other adapters are there. */
    private record Subspace(Linear frozen, Tensor p, boolean orthonormal) {
        /** Q {@code [out, r]}. */
        Tensor basis() {
            return orthonormal ? torch.linalg_qr(p).get0() : p;
        }

        /** {@code Sᵀ W}, {@code [r, in]}. */
        Tensor taken() {
            return (orthonormal ? basis() : p.relu()).t().matmul(Ops.to(frozen.weight(), p.scalar_type()));
        }
    }

    private record Replacement(Subspace space, @Nullable Tensor put, double strength, double dropout)
            implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            Tensor change =
                    Ops.linear(x, Ops.to(space.taken(), x.scalar_type()), null).neg();
            if (put != null) {
                Tensor input = Dropout.apply(x, dropout, pass.isTraining());
                change = change.add(Ops.scale(Ops.linear(input, Ops.to(put, x.scalar_type()), null), strength));
            }
            return Ops.linear(change, Ops.to(space.basis(), x.scalar_type()), null);
        }

        @Override
        public Tensor weight() {
            Tensor change = space.taken().neg();
            return space.basis().matmul(put == null ? change : change.add(Ops.scale(put, strength)));
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        json.put("r", r);
        json.put("alpha", alpha);
        json.put("decomposition_method", decomposition.name().toLowerCase(Locale.ROOT));
        json.put("para", removes);
        json.put("init_scale", scale);
        json.put("deft_dropout", dropout);
        json.put("fan_in_fan_out", false);
        json.put("init_weights", startAtIdentity);
        bias.write(json, "deft_only");
        targets.write(json);
    }

    /** Registers {@code deft}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "deft";
        }

        @Override
        public String summary() {
            return "replaces what a weight gives in a trained subspace of its outputs";
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
            return "DEFT";
        }

        @Override
        public List<String> required() {
            return List.of("r");
        }

        @Override
        public Method read(Fields config, Base base) {
            config.bool("fan_in_fan_out", false);
            return new Deft(
                    config.integer("r", 8, 1),
                    config.integerOrNull("alpha"),
                    config.choice("decomposition_method", "relu", "relu", "qr").equals("qr")
                            ? Decomposition.QR
                            : Decomposition.RELU,
                    config.bool("para", false),
                    config.number("init_scale", 1),
                    config.number("deft_dropout", 0),
                    Bias.read(config, "deft_only"),
                    TargetModules.read(config),
                    config.bool("init_weights", true));
        }
    }
}
