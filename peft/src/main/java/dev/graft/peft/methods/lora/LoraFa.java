package dev.graft.peft.methods.lora;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import tools.jackson.databind.node.ObjectNode;

/**
 * LoRA-FA (Zhang et al., 2023): LoRA with a frozen A, {@code y = W x + b + s · B A x}, of which only B is trained. Its second version replaces
 * the gradient of B by the one whose change of {@code s · B A} is closest to the gradient of the whole weight: {@code g ← g (A Aᵀ + δ I)⁻¹ / s²}
 * with δ = 1e-8, as PEFT's {@code create_lorafa_optimizer} does.
 *
 * <p>Trained: r · out for a linear layer. A starts Kaiming-uniform or gaussian and stays; B starts at zero, so a new adapter changes nothing.
 * Files: plain LoRA, for LoRA-FA is a way of training it. Merges as LoRA. Use it if memory is scarce: of a layer's input only A x must be kept.
 * Embeddings aren't supported, since their A starts at zero.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new LoraFa(LoraConfig.DEFAULT, LoraFa.Projection.FP32), 42);
 * }</pre>
 *
 * @param projection the projection of B's gradient
 */
public record LoraFa(LoraConfig config, Projection projection) implements LoraVariant {
    /** The projection of B's gradient. */
    public enum Projection {
        /** No projection: the first version of the paper. */
        NONE,
        FP32,
        /** Projection in bf16, as in PEFT on processors that support it, with PEFT's results up to rounding. */
        BF16
    }

    /** Rank 16 with s = 2, with the projection in fp32. */
    public static final LoraFa DEFAULT = new LoraFa(LoraConfig.DEFAULT, Projection.FP32);

    private static final double DAMPING = 1e-8;

    public LoraFa {
        String init = config.init().name();
        if (!init.equals("true") && !init.equals("gaussian")) {
            throw new InputException("init_lora_weights is " + init
                    + ", but LoRA-FA keeps A as it starts and B starts at zero: expected true or gaussian");
        }
        if (config.loraBias()) {
            throw new InputException("lora_bias is true, but LoRA-FA trains the matrix B alone; leave it out");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public LoraFa with(LoraConfig newConfig) {
        return new LoraFa(newConfig, projection);
    }

    @Override
    public Effect effectAt(Grafter g, Linear site) {
        return LowRank.withFrozenA(g, site, config);
    }

    @Override
    public TrainingRule trainingRule(Instance adapter, TrainingRule.Run run) {
        if (projection == Projection.NONE) {
            return TrainingRule.NONE;
        }
        Map<String, Tensor> inverses = new LinkedHashMap<>();
        adapter.trainable().keySet().stream()
                .filter(key -> key.endsWith(".lora_B.weight"))
                .forEach(key -> inverses.put(key, inverse(adapter.value(key.replace(".lora_B.", ".lora_A.")))));
        return new TrainingRule() {
            @Override
            public void beforeUpdate(long step) {
                try (NoGrad noGrad = new NoGrad();
                        Scope scope = new Scope()) {
                    inverses.forEach((key, inverse) -> {
                        Tensor gradient = adapter.value(key).grad();
                        double s = config.scaling(key.replace(".lora_B.weight", ""));
                        gradient.copy_(Ops.scale(
                                Ops.to(gradient, inverse.scalar_type()).matmul(inverse), 1 / (s * s)));
                    });
                }
            }
        };
    }

    /** {@code (A Aᵀ + δ I)⁻¹}, the same at every step. */
    private Tensor inverse(Tensor a) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor damping = Ops.to(Ops.scale(torch.eye(a.size(0)), DAMPING), a.scalar_type());
            Tensor inverse = torch.linalg_pinv(a.matmul(a.t()).add(damping));
            return scope.release(projection == Projection.BF16 ? Ops.to(inverse, ScalarType.BFloat16) : inverse);
        }
    }

    @Override
    public Method savedMethod(Instance adapter) {
        return new Lora(config);
    }

    @Override
    public void writeOwn(ObjectNode json) {
        json.put("lorafa_projection", projection.name().toLowerCase(Locale.ROOT));
    }

    /** Registers {@code lora-fa}. */
    public static final class Kind extends LoraVariant.Kind {
        static final Kind INSTANCE = new Kind();

        public Kind() {
            super("lora-fa", LoraMark.own("lorafa_projection"));
        }

        @Override
        public String summary() {
            return "LoRA with a frozen A and a projected gradient of B";
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        protected LoraVariant read(LoraConfig shared, Fields f, Base base) {
            String projection = f.choice("lorafa_projection", "fp32", "none", "fp32", "bf16");
            return new LoraFa(shared, Projection.valueOf(projection.toUpperCase(Locale.ROOT)));
        }
    }
}
