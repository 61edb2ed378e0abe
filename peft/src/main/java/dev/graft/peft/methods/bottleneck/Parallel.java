package dev.graft.peft.methods.bottleneck;

import dev.graft.peft.Method;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Init;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Scaling;

/**
 * The parallel adapter of He et al. (2022), AdapterHub's {@code par_bn}: beside a block with input x from the residual stream and output
 * h, {@code y = LN(x + h + A(x))} with {@code A(x) = s · (U σ(D x + d) + u)}, D {@code [m, hidden]}, U {@code [hidden, m]} and m = hidden /
 * reduction; LN is the identity where the model normalises before its blocks. By default beside the feed-forward block of every layer,
 * with m = hidden / 2 and s = 4.
 *
 * <p>Trained: 2 · hidden · m + m + hidden for each place. D starts Kaiming-uniform, U and the biases at zero: a new adapter changes nothing.
 * Files, in AdapterHub's layout: as of {@link Pfeiffer}. Doesn't merge. Of the bottlenecks the one that learns most for its size, and the
 * adapter of MAM; several on one block each read x, so their results add up.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Parallel.DEFAULT, 42);
 * }</pre>
 */
public record Parallel(BottleneckConfig config) implements BottleneckMethod {
    /** Bottlenecks beside every feed-forward block, hidden / 2, ReLU, s = 4. */
    public static final Parallel DEFAULT = new Parallel(BottleneckConfig.DEFAULT
            .withReduction(2)
            .withParallel(true)
            .withNormed(false)
            .withScaling(Scaling.of(4))
            .withInit(Init.MAM_ADAPTER));

    public Parallel {
        Form.PARALLEL.require(config);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    /** Registers {@code parallel}. */
    public static final class Kind extends BottleneckMethod.Kind {
        public static final Kind INSTANCE = new Kind();

        public Kind() {
            super(
                    Form.PARALLEL,
                    "par_bn",
                    "a small network beside the feed-forward block of each layer (AdapterHub's par_bn)",
                    true,
                    Parallel::new);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }
    }
}
