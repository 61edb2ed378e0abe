package dev.graft.train.optim;

import dev.graft.formats.InputException;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * AdamW on gradients of LoRA's matrices that are preconditioned by each other (Zhang and Pilanci, 2024, "Riemannian Preconditioned LoRA"):
 * {@code ∂A ← (BᵀB + δI)⁻¹ ∂A} and {@code ∂B ← ∂B (AAᵀ + δI)⁻¹}, so that a step depends on the product BA and not on its factorisation.
 * Other parameters are updated by plain AdamW.
 */
public final class RiemannianAdamW implements Optimizer {
    private final AdamW adamw;
    private final Settings settings;

    /** The names of B by those of A. */
    private final Map<String, String> pairs = new LinkedHashMap<>();

    /**
     * AdamW's settings and the damping.
     *
     * @param damping δ; {@code reg} in PEFT, whose default is 1e-2
     */
    public record Settings(AdamW.Settings adamw, double damping) implements Optimizer.Settings {
        public static final double DAMPING = 1e-2;

        /** @throws InputException if the damping is out of range */
        public Settings {
            Optimizer.require("reg", damping, damping > 0 && damping < Double.POSITIVE_INFINITY, "above 0");
        }

        /** @throws InputException if there is no LoRA among the parameters */
        @Override
        public RiemannianAdamW of(FlatParameters parameters) {
            return new RiemannianAdamW(parameters, this);
        }

        @Override
        public long stateBytes(long values) {
            return adamw.stateBytes(values);
        }
    }

    public RiemannianAdamW(FlatParameters parameters, Settings settings) {
        this.adamw = settings.adamw.of(parameters);
        this.settings = settings;
        parameters.parameters().forEach((a, value) -> {
            String b = a.replace(".lora_A.", ".lora_B.");
            Tensor other = b.equals(a) ? null : parameters.parameters().get(b);
            if (other != null && value.dim() == 2 && other.dim() == 2) {
                pairs.put(a, b);
            }
        });
        if (pairs.isEmpty()) {
            throw new InputException("optimizer riemannian_adamw preconditions the matrices A and B of LoRA on linear"
                    + " layers, and this adapter trains no such pair; choose adamw, or a method of LoRA's kin");
        }
    }

    @Override
    public FlatParameters parameters() {
        return adamw.parameters();
    }

    @Override
    public void step(double learningRate) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            pairs.forEach((nameOfA, nameOfB) -> {
                Tensor a = parameters().value(nameOfA);
                Tensor b = parameters().value(nameOfB);
                Tensor gradientOfA = parameters().gradient(nameOfA);
                Tensor gradientOfB = parameters().gradient(nameOfB);
                gradientOfA.copy_(inverse(b.t().matmul(b)).matmul(gradientOfA));
                gradientOfB.copy_(gradientOfB.matmul(inverse(a.matmul(a.t()))));
            });
        }
        adamw.step(learningRate);
    }

    private Tensor inverse(Tensor gram) {
        Tensor damping = Ops.scale(torch.eye(gram.size(0)), settings.damping);
        return torch.linalg_pinv(gram.add(Ops.to(damping, gram.scalar_type())));
    }

    @Override
    public long steps() {
        return adamw.steps();
    }

    @Override
    public Map<String, Tensor> state() {
        return adamw.state();
    }

    @Override
    public void restore(long steps, Map<String, Tensor> state) {
        adamw.restore(steps, state);
    }
}
