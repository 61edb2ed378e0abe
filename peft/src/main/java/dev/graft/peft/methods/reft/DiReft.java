package dev.graft.peft.methods.reft;

import dev.graft.peft.Method;

/**
 * DiReFT (Wu et al., 2024) as AdapterHub has it: {@link NoReft} without the subtraction, {@code h + Rᵀ σ(W h + b)} at the first and last
 * positions after a layer, R and W {@code [r, hidden]}: a LoRA on hidden states.
 *
 * <p>Trained: 2 · r · hidden + r for each unit and layer. R, W and b start as {@code nn.Linear}: a new adapter isn't the identity. Files: as of
 * {@link NoReft}, with {@code subtract_projection: false}, which AdapterHub doesn't write. So its files of a DiReFT are read as NoReFT, there and
 * here. Doesn't merge. It is the cheapest of the three.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, DiReft.DEFAULT, 42);
 * }</pre>
 */
public record DiReft(ReftConfig config) implements ReftMethod {
    /** Four directions at the first four positions after every layer. */
    public static final DiReft DEFAULT =
            new DiReft(ReftConfig.DEFAULT.withOrthogonal(false).withSubtract(false));

    public DiReft {
        Kind.INSTANCE.require(config);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    /** Registers {@code direft}. */
    public static final class Kind extends ReftConfig.Kind {
        static final Kind INSTANCE = new Kind();

        public Kind() {
            super(
                    "direft",
                    "LoReFT that adds to the hidden states and subtracts nothing",
                    (orthogonal, subtract) -> !subtract,
                    DiReft::new);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }
    }
}
