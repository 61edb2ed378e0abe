package dev.graft.peft.methods.reft;

import dev.graft.peft.Method;

/**
 * NoReFT (Wu et al., 2024) as AdapterHub has it: {@link LoReft} with a free R, {@code h + Rᵀ (σ(W h + b) - R h)} at the first and last positions
 * after a layer, R and W {@code [r, hidden]}.
 *
 * <p>Trained: 2 · r · hidden + r for each unit and layer. R, W and b start as {@code nn.Linear}: a new adapter isn't the identity. Files, in
 * AdapterHub's layout: {@code <layer>.reft_layer.refts.NAME.units.{0,1}.learned_source.{weight,bias}}, {@code .projection.weight}. Doesn't merge.
 * A training step costs less than LoReFT's, since R isn't orthonormal; it usually learns slightly less.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, NoReft.DEFAULT, 42);
 * }</pre>
 */
public record NoReft(ReftConfig config) implements ReftMethod {
    /** Four directions at the first four positions after every layer. */
    public static final NoReft DEFAULT = new NoReft(ReftConfig.DEFAULT.withOrthogonal(false));

    public NoReft {
        Kind.INSTANCE.require(config);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    /** Registers {@code noreft}. */
    public static final class Kind extends ReftConfig.Kind {
        static final Kind INSTANCE = new Kind();

        public Kind() {
            super(
                    "noreft",
                    "LoReFT whose directions need not be orthonormal",
                    (orthogonal, subtract) -> !orthogonal && subtract,
                    NoReft::new);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }
    }
}
