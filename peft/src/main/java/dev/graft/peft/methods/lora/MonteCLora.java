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
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * MonteCLoRA (Sengupta et al., 2024): LoRA whose A is sampled in every training step, {@code A' = A + ε · Σₙ wₙ Zₙ diag(√v)} (transposed), from N
 * normal samples Z {@code [in, r]}, variances {@code v = e^{2τ} χ²ᵣ} from a Wishart distribution with a trained τ {@code [r]}, and weights w from
 * a Dirichlet distribution with trained logarithms of its parameters {@code [N]}, as a normal one in log space. The loss gets the divergence of
 * the three distributions from their priors. Inference uses A.
 *
 * <p>Trained: r · (in + out) + r + N for a linear layer. Starts and merging are LoRA's; files also hold
 * {@code lora_monteclora_sampler.std_prior [r]}, {@code expert_weights_prior [N]}, and the last step's samples, {@code gaussian_var_prior [r, r]}
 * and {@code expert_weights [N]}, which only PEFT's loss reads. No embeddings. Use it if LoRA's results depend too much on its seed and learning
 * rate.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, MonteCLora.DEFAULT, 42);
 * }</pre>
 *
 * @param samples N
 * @param spread whether the sum of squares of w is added to the loss, which keeps w near equal shares
 * @param prior the parameter of the Dirichlet prior
 * @param scale ε
 * @param divergence weight of the divergence in the loss
 * @param buffer the number of samples that PEFT draws at once
 */
public record MonteCLora(
        LoraConfig config, int samples, boolean spread, double prior, double scale, double divergence, int buffer)
        implements LoraVariant {
    /** Eight samples, and weights as in PEFT. */
    public static final MonteCLora DEFAULT = new MonteCLora(LoraConfig.DEFAULT, 8, false, 0.1, 1e-4, 1e-5, 150);

    private static final String SAMPLER = ".lora_monteclora_sampler.";
    private static final double LEAST_VARIANCE = 1e-3;
    private static final double LEAST = 1e-6;

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public MonteCLora with(LoraConfig newConfig) {
        return new MonteCLora(newConfig, samples, spread, prior, scale, divergence, buffer);
    }

    @Override
    public Effect effectAt(Grafter g, Linear site) {
        if (config.init().offset() != LoraInit.Offset.NONE) {
            throw new InputException("init_lora_weights is " + config.init().name()
                    + ", expected one that leaves the base as it is with MonteCLoRA");
        }
        long r = config.rank(site.name());
        String key = site.name() + SAMPLER;
        LowRank update = LowRank.of(g, site, config);
        Initializer unit = (rng, shape) -> rng.uniform(0, 1, shape);
        Tensor std = g.parameter(key + "std_prior", unit, r);
        Tensor weights = g.parameter(key + "expert_weights_prior", unit, samples);
        g.buffer(key + "gaussian_var_prior", true, (rng, shape) -> torch.eye(r), r, r);
        g.buffer(
                key + "expert_weights",
                true,
                (rng, shape) -> Ops.scale(Tensors.ones(torch.ScalarType.Float, shape), 1.0 / samples),
                samples);
        // What a step draws; zeros until then, with which A is A.
        Tensor normal = g.buffer(key + "normal", false, Initializer.ZEROS, samples, site.in(), r);
        Tensor chi = g.buffer(key + "chi", false, Initializer.ZEROS, r);
        Tensor logits = g.buffer(key + "logits", false, Initializer.ZEROS, samples);
        return new Sampled(update, new Draw(std, weights, normal, chi, logits), scale);
    }

    /**
     * The distributions of one layer and what was drawn.
     *
     * @param std τ {@code [r]}
     * @param weights the logarithms of the Dirichlet distribution's parameters, {@code [N]}
     * @param normal Z, {@code [N, in, r]}
     * @param chi {@code χ²ᵣ}, {@code [r]}
     * @param logits normal, {@code [N]}
     */
    private record Draw(Tensor std, Tensor weights, Tensor normal, Tensor chi, Tensor logits) {
        /** v {@code [r]}. */
        Tensor variances() {
            return Ops.scale(std, 2).exp().mul(chi).clamp_min(new Scalar(LEAST_VARIANCE));
        }

        /** w {@code [N]}. */
        Tensor shares() {
            int n = Math.toIntExact(weights.size(0));
            Tensor alpha = weights.exp().clamp_min(new Scalar(LEAST));
            Tensor log = alpha.log();
            Tensor inverse = alpha.reciprocal();
            Tensor spread = Ops.scale(inverse, 1 - 2.0 / n).add(Ops.scale(inverse.sum(), 1.0 / n / n));
            Tensor deviation =
                    Ops.plus(spread.clamp_min(new Scalar(LEAST)), LEAST).sqrt();
            return deviation.mul(logits).add(log.sub(log.mean())).softmax(0);
        }

        /** {@code Σₙ wₙ Zₙ diag(√v)} transposed, {@code [r, in]}. */
        Tensor noise() {
            Tensor mean = shares().unsqueeze(0).matmul(normal.view(normal.size(0), -1));
            return mean.view(normal.size(1), normal.size(2))
                    .mul(variances().sqrt())
                    .t();
        }
    }

    private record Sampled(LowRank update, Draw draw, double scale) implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            LowRank drawn = pass.isTraining() ? update.withA(Ops.addScaled(update.a(), draw.noise(), scale)) : update;
            return drawn.apply(x, pass);
        }

        @Override
        public @Nullable Tensor weight() {
            return update.weight();
        }

        @Override
        public @Nullable Tensor bias() {
            return update.bias();
        }
    }

    @Override
    public TrainingRule trainingRule(Instance adapter, TrainingRule.Run run) {
        List<String> keys = adapter.sites().stream()
                .map(Site::name)
                .filter(name -> adapter.parameters().containsKey(name + SAMPLER + "std_prior"))
                .map(name -> name + SAMPLER)
                .toList();
        return new TrainingRule() {
            private Draw draw(String key) {
                return new Draw(
                        adapter.value(key + "std_prior"),
                        adapter.value(key + "expert_weights_prior"),
                        adapter.value(key + "normal"),
                        adapter.value(key + "chi"),
                        adapter.value(key + "logits"));
            }

            @Override
            public void beforeStep(long step) {
                try (NoGrad noGrad = new NoGrad();
                        Scope scope = new Scope()) {
                    for (String key : keys) {
                        Draw draw = draw(key);
                        Rng rng = Rng.of(run.seed(), key + step);
                        long r = draw.chi.size(0);
                        draw.normal.copy_(rng.normal(0, 1, Tensors.shape(draw.normal)));
                        draw.chi.copy_(Ops.sum(rng.normal(0, 1, r, r).square(), 1, false));
                        draw.logits.copy_(rng.normal(0, 1, samples));
                    }
                }
            }

            @Override
            public @Nullable Tensor penalty() {
                Tensor sum = null;
                for (String key : keys) {
                    Tensor own = loss(draw(key));
                    sum = sum == null ? own : sum.add(own);
                }
                return sum == null ? null : Ops.scale(sum, 1.0 / keys.size());
            }

            @Override
            public void afterUpdate(long step, double learningRate) {
                try (NoGrad noGrad = new NoGrad();
                        Scope scope = new Scope()) {
                    for (String key : keys) {
                        Draw draw = draw(key);
                        adapter.value(key + "gaussian_var_prior")
                                .copy_(draw.variances().diag());
                        adapter.value(key + "expert_weights").copy_(draw.shares());
                    }
                }
            }
        };
    }

    /** The divergence of the weights, the variances and the samples from their priors, and the sum of squares. */
    private Tensor loss(Draw draw) {
        Tensor divergences = dirichlet(draw.weights.exp())
                .add(gamma(Ops.scale(draw.std, 2).exp(), draw.std.size(0)))
                .add(gamma(draw.variances(), samples));
        Tensor loss = Ops.scale(divergences, divergence);
        return spread ? loss.add(draw.shares().square().sum()) : loss;
    }

    /** {@code KL(Dir(α) ‖ Dir(prior, …))}. */
    private Tensor dirichlet(Tensor alpha) {
        Tensor all = alpha.sum();
        Tensor known = Tensors.of(new float[] {(float) prior, (float) (prior * samples)}, 2)
                .lgamma();
        Tensor constant = Ops.scale(known.select(0, 0), samples).sub(known.select(0, 1));
        Tensor moved =
                Ops.plus(alpha, -prior).mul(alpha.digamma().sub(all.digamma())).sum();
        return all.lgamma()
                .sub(alpha.lgamma().sum())
                .add(Ops.to(constant, alpha.scalar_type()))
                .add(moved);
    }

    /** {@code n/2 · Σ (v - ln v - 1)}: of n normal samples with variances v, or a Wishart matrix of n degrees, from the standard one. */
    private static Tensor gamma(Tensor v, long n) {
        return Ops.scale(Ops.plus(v.sub(v.log()), -1).sum(), n / 2.0);
    }

    @Override
    public void writeOwn(ObjectNode json) {
        ObjectNode c = json.putObject("monteclora_config");
        c.put("num_samples", samples);
        c.put("use_entropy", spread);
        c.put("dirichlet_prior", prior);
        c.put("sample_scaler", scale);
        c.put("kl_loss_weight", divergence);
        c.put("buffer_size", buffer);
    }

    /** Registers {@code monteclora}. */
    public static final class Kind extends LoraVariant.Kind {
        static final Kind INSTANCE = new Kind();

        public Kind() {
            super("monteclora", LoraMark.value("monteclora_config"));
        }

        @Override
        public String summary() {
            return "LoRA whose A is drawn anew in every training step";
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        protected LoraVariant read(LoraConfig shared, Fields config, Base base) {
            Fields f = config.object("monteclora_config");
            return new MonteCLora(
                    shared,
                    f.integer("num_samples", 8, 1),
                    f.bool("use_entropy", false),
                    f.number("dirichlet_prior", 0.1, Double.MIN_NORMAL, 1e9),
                    f.number("sample_scaler", 1e-4, 0, 1e9),
                    f.number("kl_loss_weight", 1e-5, 0, 1e9),
                    f.integer("buffer_size", 150, 1));
        }
    }
}
