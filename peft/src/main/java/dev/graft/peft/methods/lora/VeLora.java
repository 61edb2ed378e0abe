package dev.graft.peft.methods.lora;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.Statistics;
import dev.graft.peft.inits.LoraInit;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * VeLoRA (Miles et al., 2024): LoRA whose gradient of A uses rank-1 projections of the inputs. An input is cut into G groups of
 * {@code d = ⌈in/G⌉} features; with v {@code [d]} of length 1, group g is {@code σ (v · x_g) v} in the backward pass; forward is LoRA's.
 *
 * <p>Trained: r · (in + out) for a linear layer. Starts, files and merging are LoRA's; files also hold v as {@code <module>.lora_velora_embed}.
 * No embeddings. Use it to measure the effect of the compressed gradient: a training step here keeps the inputs of layers in any case, so it
 * saves no memory.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, VeLora.DEFAULT, 42);
 * }</pre>
 *
 * @param groups G
 * @param scale σ
 * @param projection the source of v
 */
public record VeLora(LoraConfig config, int groups, double scale, Projection projection) implements LoraVariant {
    /** The source of v. */
    public enum Projection {
        /** The mean group of each batch. */
        BATCH_AVERAGE,
        /** The mean group of the calibration batches. */
        BATCH_AVERAGE_ONCE,
        /** A normal vector. */
        RANDOM
    }

    /** 64 groups, the mean of each batch. */
    public static final VeLora DEFAULT = new VeLora(LoraConfig.DEFAULT, 64, 1, Projection.BATCH_AVERAGE);

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public VeLora with(LoraConfig newConfig) {
        return new VeLora(newConfig, groups, scale, projection);
    }

    @Override
    public boolean needsData() {
        return projection == Projection.BATCH_AVERAGE_ONCE || config.init().needsData();
    }

    @Override
    public Effect effectAt(Grafter g, Linear site) {
        if (config.init().offset() != LoraInit.Offset.NONE) {
            throw new InputException("init_lora_weights is " + config.init().name()
                    + ", expected one that leaves the base as it is with VeLoRA");
        }
        LowRank update = LowRank.of(g, site, config);
        Tensor v =
                g.buffer(site.name() + ".lora_velora_embed", true, start(g, site), (site.in() + groups - 1) / groups);
        return new Compressed(update, v, groups, scale, projection == Projection.BATCH_AVERAGE);
    }

    private Initializer start(Grafter g, Linear site) {
        return switch (projection) {
            case BATCH_AVERAGE -> Initializer.ZEROS;
            case RANDOM -> (rng, shape) -> normalised(rng.normal(0, 1, shape));
            case BATCH_AVERAGE_ONCE ->
                (rng, shape) -> {
                    Statistics statistics = g.statistics();
                    if (statistics == null) {
                        throw new InputException("velora_config.init_type is batch_average_once, which looks at data:"
                                + " make the adapter with calibration batches");
                    }
                    return mean(statistics.mean(site).unsqueeze(0), groups);
                };
        };
    }

    /** Rows {@code [n, in]} as groups {@code [n · G, d]}, zeros behind the last feature. */
    private static Tensor grouped(Tensor rows, int groups) {
        long d = (rows.size(1) + groups - 1) / groups;
        long missing = d * groups - rows.size(1);
        Tensor whole = missing == 0 ? rows : Ops.cat(1, rows, Tensors.zeros(rows.scalar_type(), rows.size(0), missing));
        return whole.reshape(-1, d);
    }

    private static Tensor mean(Tensor rows, int groups) {
        return normalised(Ops.mean(grouped(rows, groups), 0, false));
    }

    private static Tensor normalised(Tensor v) {
        Tensor length = v.norm();
        return Tensors.item(length) == 0
                ? torch.ones_like(v).div(torch.ones_like(v).norm())
                : v.div(length);
    }

    private record Compressed(LowRank update, Tensor projection, int groups, double scale, boolean ofBatch)
            implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            if (!pass.isTraining()) {
                return update.apply(x, pass);
            }
            Tensor dropped = Dropout.apply(x, update.dropout(), true);
            Tensor a = Ops.to(update.a(), x.scalar_type());
            Tensor through = Ops.linear(seen(dropped), a, null);
            // The value is A x; the gradient of x is A's, that of A is of what was seen.
            Tensor narrow = Ops.linear(dropped, a.detach(), null).add(through.sub(through.detach()));
            return update.up(narrow);
        }

        private Tensor seen(Tensor x) {
            try (NoGrad noGrad = new NoGrad()) {
                Tensor rows = x.detach().reshape(-1, x.size(x.dim() - 1));
                Tensor v = ofBatch ? mean(rows, groups) : Ops.to(projection, x.scalar_type());
                Tensor kept = grouped(rows, groups).matmul(v).unsqueeze(1).mul(v);
                Tensor whole = kept.reshape(rows.size(0), -1).narrow(1, 0, rows.size(1));
                return Ops.scale(whole, scale).reshape(Tensors.shape(x));
            }
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
    public void writeOwn(ObjectNode json) {
        ObjectNode c = json.putObject("velora_config");
        c.put("num_groups", groups);
        c.put("scale", scale);
        c.put("init_type", projection.name().toLowerCase(java.util.Locale.ROOT));
    }

    /** Registers {@code velora}. */
    public static final class Kind extends LoraVariant.Kind {
        static final Kind INSTANCE = new Kind();

        public Kind() {
            super("velora", LoraMark.value("velora_config"));
        }

        @Override
        public String summary() {
            return "LoRA whose gradient of A sees its inputs compressed to a number for each group";
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        protected LoraVariant read(LoraConfig shared, Fields config, Base base) {
            Fields f = config.object("velora_config");
            String projection = f.choice("init_type", "batch_average", "batch_average", "batch_average_once", "random");
            double scale = f.number("scale", 1, Double.MIN_NORMAL, 1e9);
            int groups = f.integer("num_groups", 64, 1);
            return new VeLora(shared, groups, scale, Projection.valueOf(projection.toUpperCase(java.util.Locale.ROOT)));
        }
    }
}
