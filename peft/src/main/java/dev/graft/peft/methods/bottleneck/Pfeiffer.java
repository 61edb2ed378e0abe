package dev.graft.peft.methods.bottleneck;

import dev.graft.peft.Method;

/**
 * The sequential bottleneck adapter of Pfeiffer et al. (2020), AdapterHub's {@code seq_bn}: after a block with input x from the residual
 * stream and output h, {@code y = LN(x + h + A(LN(x + h)))} with {@code A(z) = s · (U σ(D z + d) + u)}, D {@code [m, hidden]},
 * U {@code [hidden, m]} and m = hidden / reduction, at least 1. Where the model normalises before its blocks LN is the identity:
 * {@code y = x + h + A(x + h)}. By default behind the feed-forward block of every layer.
 *
 * <p>Trained: 2 · hidden · m + m + hidden for each place. Weights start normal with deviation 0.02 and biases at zero ({@code bert}): near
 * the identity, not at it; with {@code mam_adapter} D starts Kaiming-uniform and U at zero, and a new adapter changes nothing. Files, in
 * AdapterHub's layout: {@code <block>.adapters.NAME.adapter_down.0.weight}, {@code .bias}, {@code adapter_up.weight}, {@code .bias}. Doesn't
 * merge. Use it to exchange adapters with AdapterHub, and where an update that isn't linear helps; it costs time at every call that LoRA,
 * merged, doesn't.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Pfeiffer.DEFAULT.withReduction(8), 42);
 * }</pre>
 */
public record Pfeiffer(BottleneckConfig config) implements BottleneckMethod {
    /** Bottlenecks after every feed-forward block, hidden / 16, ReLU. */
    public static final Pfeiffer DEFAULT = new Pfeiffer(BottleneckConfig.DEFAULT);

    public Pfeiffer {
        Form.PFEIFFER.require(config);
    }

    public Pfeiffer withReduction(double factor) {
        return new Pfeiffer(config.withReduction(factor));
    }

    /** Returns a copy that starts as the identity. */
    public Pfeiffer startingAtZero() {
        return new Pfeiffer(config.withInit(BottleneckConfig.Init.MAM_ADAPTER));
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    /** Registers {@code pfeiffer}. */
    public static final class Kind extends BottleneckMethod.Kind {
        public static final Kind INSTANCE = new Kind();

        public Kind() {
            super(
                    Form.PFEIFFER,
                    "seq_bn",
                    "a small network behind the feed-forward block of each layer (AdapterHub's seq_bn)",
                    false,
                    Pfeiffer::new);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }
    }
}
