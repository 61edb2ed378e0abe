package dev.graft.peft.methods.bottleneck;

import dev.graft.peft.Method;

/**
 * Compacter (Mahabadi et al., 2021), AdapterHub's {@code compacter}: a Houlsby adapter, {@code y = LN(x + h + U σ(D h + d) + u)}, whose maps
 * D and U are sums of n Kronecker products, {@code x H} with {@code H = Σᵢ Rᵢ ⊗ (Lᵢ Tᵢ)}: the rule {@code R [n, n, n]} is one for all places
 * and layers, {@code L [n, in / n, k]} and {@code T [n, k, out / n]} are each map's own, k = 1.
 *
 * <p>Trained: n³ once, and for each place 2 · k · (hidden + m) + m + hidden. R starts normal with deviation 0.0001, so near the identity,
 * L and T Glorot-normal, biases at zero. Files, in AdapterHub's layout: {@code <block>.adapters.NAME.adapter_down.0.W_left},
 * {@code .W_right}, {@code .b}, {@code adapter_up.…}, and {@code shared_parameters.NAME.phm_rule}. Options give R factors or each place an R
 * of its own, or share L and T. Doesn't merge. Use it where an adapter must be a few kilobytes; hidden and m must be multiples of n.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Compacter.DEFAULT, 42);
 * }</pre>
 */
public record Compacter(BottleneckConfig config) implements BottleneckMethod {
    /** Bottlenecks after every attention and feed-forward block, hidden / 32, GELU, n = 4. */
    public static final Compacter DEFAULT = new Compacter(BottleneckConfig.DEFAULT
            .withAttention(true)
            .withReduction(32)
            .withActivation("gelu")
            .withNormed(false)
            .withPhm(Phm.DEFAULT));

    public Compacter {
        Form.COMPACTER.require(config);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    /** Registers {@code compacter}. */
    public static final class Kind extends BottleneckMethod.Kind {
        static final Kind INSTANCE = new Kind();

        public Kind() {
            super(
                    Form.COMPACTER,
                    "compacter",
                    "bottlenecks made of Kronecker products with one shared rule (AdapterHub's compacter)",
                    false,
                    Compacter::new);
        }

        @Override
        public double rateFactor() {
            return 30;
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }
    }
}
