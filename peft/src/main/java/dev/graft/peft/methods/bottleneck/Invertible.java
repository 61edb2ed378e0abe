package dev.graft.peft.methods.bottleneck;

import dev.graft.peft.Method;

/**
 * The invertible adapter of MAD-X (Pfeiffer et al., 2020), AdapterHub's {@code seq_bn_inv} and {@code double_seq_bn_inv}: bottlenecks, and after
 * the embeddings an invertible coupling. With the halves a and b of each hidden state, {@code a' = a + F(b)}, {@code b' = b + G(a')}, F and G
 * being {@code W₂ σ(W₁ x + w₁) + w₂}. It is designed for language adapters: the coupling maps the tokens of a new language to the model's
 * representation, its inverse maps predictions back.
 *
 * <p>Trained: those of the bottlenecks, and once 2 · (2 · e² / r) + 2 · (e / r + e) with e = hidden / 2 and r = 2. Weights start normal with
 * deviation 0.02, biases at zero. Files: as of {@link Pfeiffer}, and {@code invertible_adapters.NAME.{F,G}.{0,2}.{weight,bias}}. Doesn't merge.
 * The base's own head reads hidden states unchanged, as in AdapterHub, where only AdapterHub's own language heads undo the coupling. AdapterHub's
 * {@code glow} doesn't run and is refused.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, Invertible.DEFAULT, 42);
 * }</pre>
 */
public record Invertible(BottleneckConfig config) implements BottleneckMethod {
    /** A Pfeiffer adapter, hidden / 16, and a coupling half as large inside. */
    public static final Invertible DEFAULT =
            new Invertible(BottleneckConfig.DEFAULT.withCoupling(AdditiveCoupling.DEFAULT));

    public Invertible {
        Form.INVERTIBLE.require(config);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    /** Registers {@code invertible}. */
    public static final class Kind extends BottleneckMethod.Kind {
        static final Kind INSTANCE = new Kind();

        public Kind() {
            super(
                    Form.INVERTIBLE,
                    "seq_bn_inv",
                    "bottlenecks and an invertible map of the embeddings, for new languages (AdapterHub's seq_bn_inv)",
                    false,
                    Invertible::new);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }
    }
}
