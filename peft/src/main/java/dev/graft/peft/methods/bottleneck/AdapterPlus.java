package dev.graft.peft.methods.bottleneck;

import dev.graft.peft.Method;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Init;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Norms;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Residual;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Scaling;

/**
 * Adapter+ (Steitz and Roth, 2024) as AdapterHub has it: after a block with input x from the residual stream and output h, {@code z = LN(x + h)}
 * and {@code y = z + A(z)}, not normalised again, with {@code A(z) = s ⊙ (U σ(D z + d) + u)} and s {@code [hidden]} learned. LN is the identity
 * if the model normalises before its blocks, as vision transformers do, for which the method was designed.
 *
 * <p>Trained: 2 · hidden · m + m + 2 · hidden for each place. D and U start normal with deviation 0.01 within two deviations, the biases at zero,
 * s at 1: near the identity. In training a row of the batch skips A with probability {@code stochastic_depth}. Files: as of {@link Pfeiffer}, and
 * {@code <block>.adapters.NAME.scaling}. Doesn't merge. Any bottleneck without the model's normalisation behind it
 * ({@code original_ln_after: false}) is read as this method.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, AdapterPlus.DEFAULT, 42);
 * }</pre>
 */
public record AdapterPlus(BottleneckConfig config) implements BottleneckMethod {
    /** Bottlenecks after every feed-forward block, hidden / 96, GELU. */
    public static final AdapterPlus DEFAULT = new AdapterPlus(BottleneckConfig.DEFAULT
            .withReduction(96)
            .withActivation("gelu")
            .withNorms(Norms.USUAL.withAfter(false).withResidual(Residual.NORMED))
            .withScaling(Scaling.CHANNEL)
            .withStochasticDepth(0.1)
            .withInit(Init.HOULSBY));

    public AdapterPlus {
        Form.ADAPTER_PLUS.require(config);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    /** Registers {@code adapter-plus}. */
    public static final class Kind extends BottleneckMethod.Kind {
        static final Kind INSTANCE = new Kind();

        public Kind() {
            super(
                    Form.ADAPTER_PLUS,
                    "adapter_plus",
                    "a bottleneck with a learned scale for each channel, made for vision transformers",
                    false,
                    AdapterPlus::new);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }
    }
}
