package dev.graft.peft.methods.selective;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import tools.jackson.databind.node.ObjectNode;

/**
 * Child-Tuning (Xu et al., 2021): full fine-tuning in which only a part of the weights, the child network, gets a gradient, {@code g ← m ⊙ g}.
 * Child-Tuning-F samples the part at each step, each weight with probability p, and divides the gradient by p. Child-Tuning-D selects the share p
 * of the weights with the largest Fisher information, the mean of g² over the training batches before the first step; the others stay exactly as
 * in the base, also under weight decay. The head is always trained.
 *
 * <p>Trained: with F every parameter, with D the share p, though files contain all. Files: those of full fine-tuning, since this is a way of
 * training it. Merges. Use it on small data against overfitting. D costs a pass over the examples; neither saves memory.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new ChildTuning(ChildTuning.Variant.TASK_DRIVEN, 0.3), 42);
 * }</pre>
 *
 * @param variant the choice of the child network
 * @param share p
 */
public record ChildTuning(Variant variant, double share) implements Method {
    /** The choice of the child network. */
    public enum Variant {
        /** Child-Tuning-F. */
        TASK_FREE,
        /** Child-Tuning-D. */
        TASK_DRIVEN
    }

    /** The task-driven variant with p = 0.3. */
    public static final ChildTuning DEFAULT = new ChildTuning(Variant.TASK_DRIVEN, 0.3);

    public ChildTuning {
        if (!(share > 0 && share <= 1)) {
            throw new InputException("child_share is " + share + ", expected above 0 and at most 1");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        FullParameterTuning.graft(g, site -> true);
    }

    @Override
    public TrainingRule trainingRule(Instance adapter, TrainingRule.Run run) {
        List<String> heads = adapter.base().sites().stream()
                .filter(site -> site instanceof Linear linear && linear.role() == Role.HEAD)
                .map(site -> site.name() + ".")
                .toList();
        Map<String, Tensor> parameters = new LinkedHashMap<>();
        adapter.trainable().forEach((key, value) -> {
            if (adapter.base().parameters().containsKey(key) && heads.stream().noneMatch(key::startsWith)) {
                parameters.put(key, value);
            }
        });
        return variant == Variant.TASK_FREE
                ? new TaskFreeRule(parameters, share, run.seed())
                : new TaskDrivenRule(parameters, FullParameterTuning.frozen(adapter.base()), share);
    }

    private record TaskFreeRule(Map<String, Tensor> parameters, double share, long seed) implements TrainingRule {
        /** A part of a batch that no worker has. */
        private static final int PART = -1;

        @Override
        public void beforeUpdate(long step) {
            if (share == 1) {
                return;
            }
            Dropout.seed(seed, step, PART);
            try (NoGrad noGrad = new NoGrad()) {
                for (Tensor value : parameters.values()) {
                    try (Scope scope = new Scope()) {
                        value.grad().mul_(Dropout.mask(value.scalar_type(), 1 - share, Tensors.shape(value)));
                    }
                }
            }
        }
    }

    public static final class TaskDrivenRule implements TrainingRule {
        private final Map<String, Tensor> parameters;
        private final Map<String, Tensor> base;
        private final double share;
        private final Map<String, Tensor> masks = new LinkedHashMap<>();

        public TaskDrivenRule(Map<String, Tensor> parameters, Map<String, Tensor> base, double share) {
            this.parameters = parameters;
            this.base = base;
            this.share = share;
            parameters.forEach((key, value) -> {
                try (Scope scope = new Scope()) {
                    masks.put(key, scope.release(Tensors.zeros(value.scalar_type(), Tensors.shape(value))));
                }
            });
        }

        /** The masks first contain the sum of g², which has the same order as its mean. */
        @Override
        public void begin(Gradients gradients) {
            try (NoGrad noGrad = new NoGrad()) {
                gradients.forEachBatch(() -> parameters.forEach((key, value) -> {
                    try (Scope scope = new Scope()) {
                        mask(key).add_(value.grad().mul(value.grad()));
                    }
                }));
                try (Scope scope = new Scope()) {
                    List<Tensor> flat = new ArrayList<>();
                    masks.values().forEach(fisher -> flat.add(fisher.view(-1)));
                    Tensor all = Ops.cat(0, flat.toArray(Tensor[]::new));
                    long most = Math.max(1, Math.round(share * all.numel()));
                    Tensor largest = torch.topk(all, most).get1();
                    Tensor chosen =
                            Tensors.zeros(all.scalar_type(), all.numel()).index_fill_(0, largest, new Scalar(1.0));
                    long start = 0;
                    for (Tensor mask : masks.values()) {
                        mask.copy_(chosen.narrow(0, start, mask.numel()).view(Tensors.shape(mask)));
                        start += mask.numel();
                    }
                }
            }
        }

        private Tensor mask(String key) {
            Tensor mask = masks.get(key);
            if (mask == null) {
                throw new IllegalArgumentException("no parameter " + key);
            }
            return mask;
        }

        @Override
        public void beforeUpdate(long step) {
            try (NoGrad noGrad = new NoGrad()) {
                parameters.forEach((key, value) -> value.grad().mul_(mask(key)));
            }
        }

        @Override
        public void afterUpdate(long step, double learningRate) {
            try (NoGrad noGrad = new NoGrad()) {
                parameters.forEach((key, value) -> {
                    try (Scope scope = new Scope()) {
                        Tensor frozen = base.get(key);
                        if (frozen != null) {
                            value.copy_(
                                    value.where(mask(key).gt(new Scalar(0.5)), Ops.to(frozen, value.scalar_type())));
                        }
                    }
                });
            }
        }

        @Override
        public Map<String, Tensor> state() {
            return masks;
        }
    }

    @Override
    public Method savedMethod(Instance adapter) {
        return FullFineTuning.DEFAULT;
    }

    @Override
    public void write(ObjectNode json, Base base) {
        json.put("child_network", variant == Variant.TASK_FREE ? "random" : "fisher");
        json.put("child_share", share);
    }

    /** Registers {@code child-tuning}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "child-tuning";
        }

        @Override
        public String summary() {
            return "full fine-tuning in which only a part of the weights gets a gradient";
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
            return "FULL_FINE_TUNING";
        }

        @Override
        public double rateFactor() {
            return 0.1;
        }

        @Override
        public boolean matches(Fields f) {
            return f.has("child_network");
        }

        @Override
        public Method read(Fields f, Base base) {
            boolean random =
                    f.choice("child_network", "fisher", "fisher", "random").equals("random");
            return new ChildTuning(random ? Variant.TASK_FREE : Variant.TASK_DRIVEN, f.number("child_share", 0.3));
        }
    }
}
