package dev.graft.peft.methods;

import dev.graft.peft.Method;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * NoReFT (Wu et al., 2024) as AdapterHub has it: {@link LoReft} with a free R, {@code h + Rᵀ (σ(W h + b) - R h)} at the first and last
 * positions after a layer, R and W {@code [r, hidden]}.
 *
 * <p>Trained: 2 · r · hidden + r for each unit and layer. R, W and b start as {@code nn.Linear}: a new adapter isn't the identity. Files, in
 * AdapterHub's layout: {@code <layer>.reft_layer.refts.NAME.units.{0,1}.learned_source.{weight,bias}}, {@code .projection.weight}. Doesn't
 * merge. It costs less than LoReFT in a training step, since nothing is kept orthonormal, and mostly learns a little less.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, NoReft.DEFAULT, 42);
 * }</pre>
 */
public record NoReft(ReftConfig config) implements ReftMethod {
    /** Four directions at the first four positions after every layer. */
    public static final NoReft DEFAULT = new NoReft(4, 4, 0, false, null, 0.05);

    public NoReft {
        Kind.INSTANCE.require(config);
    }

    /** Without an activation. */
    public NoReft(int r, int first, int last, boolean tied, @Nullable List<Integer> layers, double dropout) {
        this(new ReftConfig(r, first, last, tied, layers, false, true, null, dropout));
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
