package dev.graft.peft.methods.bottleneck;

import dev.graft.peft.Method;

/**
 * Compacter++ (Mahabadi et al., 2021), AdapterHub's {@code compacter++}: {@link Compacter} behind feed-forward blocks only, in the form of a
 * {@link Pfeiffer} adapter, {@code y = LN(x + h + A(LN(x + h)))}, its maps {@code H = Σᵢ Rᵢ ⊗ (Lᵢ Tᵢ)}.
 *
 * <p>Trained: n³ once, and for each place 2 · k · (hidden + m) + m + hidden, so about half of Compacter. Start, files and limits are those of
 * {@link Compacter}. On T5-base 0.047 % of the model.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, CompacterPlusPlus.DEFAULT, 42);
 * }</pre>
 */
public record CompacterPlusPlus(BottleneckConfig config) implements BottleneckMethod {
    /** Bottlenecks after every feed-forward block, hidden / 32, GELU, n = 4. */
    public static final CompacterPlusPlus DEFAULT = new CompacterPlusPlus(
            BottleneckConfig.DEFAULT.withReduction(32).withActivation("gelu").withPhm(Phm.DEFAULT));

    public CompacterPlusPlus {
        Form.COMPACTER_PLUS_PLUS.require(config);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    /** Registers {@code compacter-plus-plus}. */
    public static final class Kind extends BottleneckMethod.Kind {
        static final Kind INSTANCE = new Kind();

        public Kind() {
            super(
                    Form.COMPACTER_PLUS_PLUS,
                    "compacter++",
                    "Compacter behind feed-forward blocks only (AdapterHub's compacter++)",
                    false,
                    CompacterPlusPlus::new);
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
