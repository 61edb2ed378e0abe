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
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import java.util.List;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * QA-LoRA (Xu et al., 2023): LoRA whose A reads the inputs in groups, {@code y = W x + b + s · B A p(x)}: p is the mean of each g neighbours,
 * times the number of groups in / g, with {@code A [r, in / g]} and {@code B [out, r]}. The paper takes the sum of each group; PEFT, which is
 * followed here, {@code in / g²} times as much. A starts Kaiming-uniform and B at zero.
 *
 * <p>The update has the same value for all inputs of a group, so a base with a bias for each group can absorb it: on {@code int4} a merge changes
 * only the biases, not the codes, and is exact.
 *
 * <p>Trained: r · (in / g + out). Files: PEFT's {@code <module>.lora_A.weight}, {@code <module>.lora_B.weight} with {@code use_qalora}. Merges:
 * {@code W + s · (in / g²) · B A} with each column of A g times.
 *
 * <pre>{@code
 * Base base = Base.load(path, Base.Options.DEFAULT.withQuantization(Quantization.INT4));
 * Adapter adapter = Adapter.create(base, QaLora.DEFAULT, 42);
 * Merge.merge(adapter).save(folder);
 * }</pre>
 *
 * @param groupSize g, the number of inputs that A reads as one
 */
public record QaLora(LoraConfig config, int groupSize) implements LoraVariant {
    /** Rank 16 with s = 2, in the groups of {@code int4}. */
    public static final QaLora DEFAULT = new QaLora(LoraConfig.DEFAULT, 32);

    public QaLora {
        if (groupSize < 1) {
            throw new InputException("qalora_group_size is " + groupSize + ", expected at least 1");
        }
        if (!config.init().name().equals("true")) {
            throw new InputException("init_lora_weights is " + config.init().name()
                    + ", but QA-LoRA's A has fewer columns than the weight: expected true");
        }
        if (config.loraBias()) {
            throw new InputException("lora_bias is true, which QA-LoRA doesn't have");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public QaLora with(LoraConfig newConfig) {
        return new QaLora(newConfig, groupSize);
    }

    @Override
    public Effect effectAt(Grafter g, Linear site) {
        if (site.in() % groupSize != 0) {
            throw new InputException("qalora_group_size is " + groupSize + ", but " + site.name() + " has " + site.in()
                    + " inputs, which aren't whole groups; take another size, or leave it out of target_modules");
        }
        int r = config.rank(site.name());
        Tensor a = g.parameter(site, "lora_A.weight", Initializer.KAIMING, r, site.in() / groupSize);
        Tensor b = g.parameter(site, "lora_B.weight", Initializer.ZEROS, site.out(), r);
        return of(new LowRank(a, b, null, config.scaling(site.name()), 0, null, site), groupSize, config.dropout());
    }

    /** An update that sees the groups of x. */
    static Effect.Delta of(LowRank update, int group, double dropout) {
        return new Pooled(update, group, dropout);
    }

    /**
     * f of the groups of x.
     *
     * @param update what A and B do, given a value for each group
     */
    private record Pooled(LowRank update, int group, double dropout) implements Effect.Delta {
        /** The mean of each group, {@code [..., groups]}, times their number. */
        private Tensor pool(Tensor x) {
            long[] shape = Tensors.shape(x);
            long[] groups = new long[shape.length + 1];
            System.arraycopy(shape, 0, groups, 0, shape.length);
            groups[shape.length - 1] = shape[shape.length - 1] / group;
            groups[shape.length] = group;
            return Ops.scale(Ops.mean(x.reshape(groups), -1, false), groups[shape.length - 1]);
        }

        /** Returns the weight of each value of a group in {@link #pool}. */
        private double share() {
            return (double) update.a().size(1) / group;
        }

        @Override
        public Tensor apply(Tensor x, PassView pass) {
            return update.apply(pool(Dropout.apply(x, dropout, pass.isTraining())), pass);
        }

        @Override
        public Tensor weight() {
            return Ops.scale(update.product(), share())
                    .repeat_interleave(group, new LongOptional(1), new LongOptional());
        }

        @Override
        public Effect.@Nullable ManualGradientDelta manualGradient() {
            Effect.ManualGradientDelta inner = dropout == 0 ? update.manualGradient() : null;
            return inner == null ? null : new Formula(inner);
        }

        private final class Formula implements Effect.ManualGradientDelta {
            private final Effect.ManualGradientDelta inner;

            private Formula(Effect.ManualGradientDelta inner) {
                this.inner = inner;
            }

            @Override
            public List<Tensor> forward(Tensor x, @Nullable Tensor sum) {
                return inner.forward(pool(x), sum);
            }

            @Override
            public int kept() {
                return inner.kept();
            }

            @Override
            public boolean trains() {
                return inner.trains();
            }

            @Override
            public void backward(Tensor x, Tensor gradient, List<Tensor> kept, @Nullable Tensor dx) {
                long rows = x.size(0);
                long groups = x.size(1) / group;
                Tensor pooled = dx == null ? null : Tensors.zeros(dx.scalar_type(), rows, groups);
                inner.backward(pool(x), gradient, kept, pooled);
                if (dx != null && pooled != null) {
                    dx.view(rows, groups, group).add_(Ops.scale(pooled, share()).unsqueeze(2));
                }
            }
        }
    }

    @Override
    public void writeOwn(ObjectNode json) {
        json.put("use_qalora", true).put("qalora_group_size", groupSize);
    }

    /** Registers {@code qa-lora}. */
    public static final class Kind extends LoraVariant.Kind {
        static final Kind INSTANCE = new Kind();

        public Kind() {
            super("qa-lora", LoraMark.flag("use_qalora").with("qalora_group_size", 16));
        }

        @Override
        public String summary() {
            return "LoRA of pooled inputs, which merges exactly into the groups of an int4 base";
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        protected LoraVariant read(LoraConfig shared, Fields f, Base base) {
            f.bool("use_qalora", true);
            return new QaLora(shared, f.integer("qalora_group_size", 16, 1));
        }
    }
}
