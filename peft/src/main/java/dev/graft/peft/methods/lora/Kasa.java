package dev.graft.peft.methods.lora;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.inits.LoraInit;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.StringViewOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * KaSA (Wang et al., 2024): {@code y = (W - N) x + b + s · B diag(d) A x}, where N is the part of W with its r smallest singular values, which
 * the paper regards as noise, and d {@code [r]} are trained singular values.
 *
 * <p>Trained: r · (in + out + 1) for a linear layer. A starts Kaiming-uniform, B at zero, d normal; without N a new adapter changes the base
 * slightly. Files: LoRA's and {@code <module>.lora_diag [r]}; N is recomputed from the base, which stays unchanged here; PEFT subtracts it
 * permanently. Merges: {@code W - N + s · B diag(d) A}. r must be less than both sizes of the weight; no embeddings. Use it if full fine-tuning
 * overfits.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Kasa.DEFAULT, 42);
 * }</pre>
 *
 * @param beta weight of {@code ‖d‖²} in the loss
 * @param gamma weight of {@code ‖Bᵀ B - I‖ + ‖A Aᵀ - I‖} in the loss
 */
public record Kasa(LoraConfig config, double beta, double gamma) implements LoraVariant {
    /** The paper's weights for GLUE. */
    public static final Kasa DEFAULT = new Kasa(LoraConfig.DEFAULT, 1e-4, 1e-3);

    private static final String DIAGONAL = ".lora_diag";

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public Kasa with(LoraConfig newConfig) {
        return new Kasa(newConfig, beta, gamma);
    }

    @Override
    public Effect effectAt(Grafter g, Linear site) {
        int r = config.rank(site.name());
        if (r >= Math.min(site.in(), site.out())) {
            throw new InputException("r is " + r + ", but KaSA keeps all but r singular values of " + site.name() + " ["
                    + site.out() + ", " + site.in() + "]: it must be less than both");
        }
        if (config.init().offset() != LoraInit.Offset.NONE) {
            throw new InputException("init_lora_weights is " + config.init().name()
                    + ", but KaSA takes its own part off the base; expected true, gaussian or orthogonal");
        }
        LowRank update = LowRank.of(g, site, config);
        Tensor d = g.parameter(site.name() + DIAGONAL, Initializer.normal(1), r);
        Tensor right =
                g.buffer(site.name() + ".lora_noise.right", false, (rng, shape) -> smallest(site, r), r, site.in());
        Tensor left = g.buffer(
                site.name() + ".lora_noise.left",
                false,
                (rng, shape) ->
                        Ops.to(site.weight().detach(), right.scalar_type()).matmul(right.t()),
                site.out(),
                r);
        return new Truncated(update, d, left, right);
    }

    /** The last r right singular vectors V of W, {@code [r, in]}: {@code N = (W Vᵀ) V}. */
    private static Tensor smallest(Linear site, int r) {
        Tensor w = site.weight().detach();
        Tensor wide = w.scalar_type().value == ScalarType.Double.value ? w : Ops.to(w, ScalarType.Float);
        Tensor v = torch.linalg_svd(wide, false, new StringViewOptional()).get2();
        return v.narrow(0, v.size(0) - r, r);
    }

    /** {@code s · B diag(d) A - N}. */
    private record Truncated(LowRank update, Tensor d, Tensor left, Tensor right) implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            ScalarType type = x.scalar_type();
            Tensor noise = Ops.linear(Ops.linear(x, Ops.to(right, type), null), Ops.to(left, type), null);
            return scaled().apply(x, pass).sub(noise);
        }

        /** LoRA with the columns of B scaled. */
        private LowRank scaled() {
            return update.withB(update.b().mul(d));
        }

        @Override
        public Tensor weight() {
            return scaled().product().sub(left.matmul(right));
        }

        @Override
        public @Nullable Tensor bias() {
            return update.bias();
        }
    }

    /** {@code Σ (β ‖d‖² + γ (‖Bᵀ B - I‖ + ‖A Aᵀ - I‖))} over the layers. */
    @Override
    public TrainingRule trainingRule(Instance adapter, TrainingRule.Run run) {
        List<String> modules = adapter.sites().stream()
                .map(Site::name)
                .filter(name -> adapter.parameters().containsKey(name + DIAGONAL))
                .toList();
        return new TrainingRule() {
            @Override
            public Tensor penalty() {
                Tensor sum = Tensors.zeros(adapter.base().numerics().small());
                for (String module : modules) {
                    Tensor a = adapter.value(module + ".lora_A.weight");
                    Tensor b = adapter.value(module + ".lora_B.weight");
                    Tensor values = adapter.value(module + DIAGONAL).square().sum();
                    Tensor skew = skew(b.t().matmul(b)).add(skew(a.matmul(a.t())));
                    sum = Ops.addScaled(Ops.addScaled(sum, values, beta), skew, gamma);
                }
                return sum;
            }
        };
    }

    /** {@code ‖M - I‖}. */
    private static Tensor skew(Tensor m) {
        return m.sub(Ops.to(torch.eye(m.size(0)), m.scalar_type())).norm();
    }

    @Override
    public void writeOwn(ObjectNode json) {
        ObjectNode c = json.putObject("kasa_config");
        c.put("beta", beta);
        c.put("gamma", gamma);
    }

    /** Registers {@code kasa}. */
    public static final class Kind extends LoraVariant.Kind {
        static final Kind INSTANCE = new Kind();

        public Kind() {
            super("kasa", LoraMark.value("kasa_config"));
        }

        @Override
        public String summary() {
            return "LoRA with trained singular values in place of the base's smallest ones";
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
        protected LoraVariant read(LoraConfig shared, Fields config, Base base) {
            Fields f = config.object("kasa_config");
            return new Kasa(shared, f.number("beta", 1e-4, 0, 1e9), f.number("gamma", 1e-3, 0, 1e9));
        }
    }
}
