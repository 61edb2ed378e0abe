package dev.graft.peft.methods.bottleneck;

import dev.graft.peft.Method;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Scaling;

/**
 * The scaled parallel adapter of He et al. (2022), AdapterHub's {@code scaled_par_bn}: {@link Parallel} with s learned,
 * {@code y = LN(x + h + s · (U σ(D x + d) + u))}; s is one number for each place, or with {@code channel} one for each hidden value.
 *
 * <p>Trained: 2 · hidden · m + m + hidden + 1 for each place ({@code channel}: + hidden). s starts at 1, D Kaiming-uniform, U and the biases at
 * zero: a new adapter changes nothing. Files: as of {@link Pfeiffer}, and {@code <block>.adapters.NAME.scaling}. Doesn't merge. Use it instead of
 * tuning the fixed factor 4 of {@link Parallel}.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, ScaledParallel.DEFAULT, 42);
 * }</pre>
 */
public record ScaledParallel(BottleneckConfig config) implements BottleneckMethod {
    /** Bottlenecks beside every feed-forward block, hidden / 2, ReLU. */
    public static final ScaledParallel DEFAULT =
            new ScaledParallel(Parallel.DEFAULT.config().withScaling(Scaling.LEARNED));

    public ScaledParallel {
        Form.SCALED_PARALLEL.require(config);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    /** Registers {@code scaled-parallel}. */
    public static final class Kind extends BottleneckMethod.Kind {
        static final Kind INSTANCE = new Kind();

        public Kind() {
            super(
                    Form.SCALED_PARALLEL,
                    "scaled_par_bn",
                    "a parallel adapter that learns its own scale (AdapterHub's scaled_par_bn)",
                    true,
                    ScaledParallel::new);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }
    }
}
