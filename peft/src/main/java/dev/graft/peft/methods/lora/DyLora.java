package dev.graft.peft.methods.lora;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.peft.Adapter;
import dev.graft.peft.AdapterConfig;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import tools.jackson.databind.node.ObjectNode;

/**
 * DyLoRA (Valipour et al., 2023): LoRA that works at every rank. Each step draws a rank n between a smallest one and r and trains
 * {@code y = W x + b + (alpha / n) · B[:, :n] A[:n] x}, so that the first ranks learn what matters most. One run replaces a search for the rank.
 *
 * <p>Trained: r · (in + out) for a linear layer. A starts Kaiming-uniform and B at zero, so a new adapter changes nothing. Files: plain LoRA of
 * rank r; {@link #truncated} returns one of a smaller rank, at alpha / n. Merges as LoRA. Use it if the rank isn't known in advance or must be
 * small on some machines; at rank r it is slightly worse than LoRA.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new DyLora(LoraConfig.DEFAULT, 1, false), 42);
 * DyLora.truncated(adapter, 4).save(Path.of("out/rank-4"));
 * }</pre>
 *
 * @param leastRank the smallest rank that is drawn
 * @param newestOnly whether a step trains only the n-th rank and freezes the ones before it, which learns faster
 */
public record DyLora(LoraConfig config, int leastRank, boolean newestOnly) implements LoraVariant {
    /** Ranks 1 to 16, all of them trained. */
    public static final DyLora DEFAULT = new DyLora(LoraConfig.DEFAULT, 1, false);

    private static final String RANK = ".lora_rank";

    public DyLora {
        if (leastRank < 1 || leastRank > config.r()) {
            throw new InputException("dylora_min_rank is " + leastRank + ", expected 1 to r, which is " + config.r());
        }
        if (!config.rankPattern().isEmpty() || !config.alphaPattern().isEmpty()) {
            throw new InputException(
                    "rank_pattern and alpha_pattern don't go with DyLoRA: a step has one rank for all modules");
        }
        String init = config.init().name();
        if (!init.equals("true") && !init.equals("gaussian")) {
            throw new InputException("init_lora_weights is " + init
                    + ", but DyLoRA starts without an update: expected true or gaussian");
        }
        if (config.loraBias()) {
            throw new InputException("lora_bias is true, but DyLoRA's update has no bias; leave it out");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public DyLora with(LoraConfig newConfig) {
        return new DyLora(newConfig, leastRank, newestOnly);
    }

    @Override
    public Effect effectAt(Grafter g, Linear site) {
        LowRank update = LowRank.of(g, site, config);
        float r = config.r();
        Tensor rank = g.buffer(site.name() + RANK, false, (rng, shape) -> Tensors.of(new float[] {r}, 1), 1);
        return new Nested(update.a(), update.b(), rank, config, newestOnly);
    }

    private static double scaling(LoraConfig config, long rank) {
        return config.rslora() ? config.alpha() / Math.sqrt(rank) : config.alpha() / rank;
    }

    /**
     * The update at the rank of the step in training, else at the whole rank.
     *
     * @param rank of the step, {@code [1]}
     */
    public record Nested(Tensor a, Tensor b, Tensor rank, LoraConfig config, boolean newestOnly)
            implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            long n = pass.isTraining() ? (long) Tensors.item(rank) : a.size(0);
            boolean alone = newestOnly && pass.isTraining();
            ScalarType type = x.scalar_type();
            Tensor inner = Ops.linear(
                    Dropout.apply(x, config.dropout(), pass.isTraining()), Ops.to(first(a, 0, n, alone), type), null);
            return Ops.linear(Ops.scale(inner, scaling(config, n)), Ops.to(first(b, 1, n, alone), type), null);
        }

        private static Tensor first(Tensor matrix, long dim, long n, boolean alone) {
            return alone && n > 1
                    ? Ops.cat(dim, matrix.narrow(dim, 0, n - 1).detach(), matrix.narrow(dim, n - 1, 1))
                    : matrix.narrow(dim, 0, n);
        }

        @Override
        public Tensor weight() {
            return Ops.scale(b.matmul(a), scaling(config, a.size(0)));
        }
    }

    @Override
    public TrainingRule trainingRule(Instance adapter, TrainingRule.Run run) {
        List<Tensor> ranks = new ArrayList<>();
        adapter.parameters().forEach((key, parameter) -> {
            if (key.endsWith(RANK)) {
                ranks.add(parameter.value());
            }
        });
        return new TrainingRule() {
            @Override
            public void beforeStep(long step) {
                int n = leastRank + Rng.of(run.seed(), "rank of step " + step).nextInt(config.r() - leastRank + 1);
                try (NoGrad noGrad = new NoGrad();
                        Scope scope = new Scope()) {
                    ranks.forEach(rank -> rank.fill_(new Scalar((double) n)));
                }
            }
        };
    }

    /**
     * Returns a plain LoRA of the first ranks of a DyLoRA adapter, whether still in memory or loaded from its file.
     *
     * @throws InputException if it has fewer ranks
     */
    public static Adapter truncated(Adapter adapter, int rank) {
        LoraConfig config = adapter.method() instanceof DyLora trained
                ? trained.config
                : adapter.method() instanceof Lora loaded ? loaded.config() : null;
        if (config == null || rank < 1 || rank > config.r()) {
            throw new InputException("rank is " + rank + ", expected 1 to "
                    + (config == null
                            ? "the rank of a LoRA, this is "
                                    + adapter.method().type().name()
                            : config.r()));
        }
        AdapterConfig whole = adapter.config();
        Adapter small = Adapter.create(
                adapter.base(),
                new AdapterConfig(
                        new Lora(config.withR(rank).withAlpha(config.alpha())),
                        whole.modulesToSave(),
                        whole.task(),
                        whole.baseName(),
                        whole.revision()),
                0);
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            small.parameters().forEach((key, parameter) -> {
                Tensor from = adapter.value(key);
                boolean rows = key.endsWith(".lora_A.weight");
                boolean columns = key.endsWith(".lora_B.weight");
                parameter.value().copy_(rows ? from.narrow(0, 0, rank) : columns ? from.narrow(1, 0, rank) : from);
            });
        }
        return small;
    }

    @Override
    public Method savedMethod(Instance adapter) {
        return new Lora(config);
    }

    @Override
    public void writeOwn(ObjectNode json) {
        json.put("dylora_min_rank", leastRank);
        json.put("dylora_newest_only", newestOnly);
    }

    /** Registers {@code dylora}. */
    public static final class Kind extends LoraVariant.Kind {
        static final Kind INSTANCE = new Kind();

        public Kind() {
            super("dylora", LoraMark.own("dylora_min_rank"));
        }

        @Override
        public String summary() {
            return "LoRA that is trained at every rank and can be cut to any";
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        protected LoraVariant read(LoraConfig shared, Fields f, Base base) {
            return new DyLora(shared, f.integer("dylora_min_rank"), f.bool("dylora_newest_only", false));
        }
    }
}
