package dev.graft.peft;

import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A value that a method computes from parameters for its effects, such as norms or rotations. Each pass recomputes it, until the adapter is
 * {@linkplain Adapter#freeze frozen}.
 */
public final class CachedValue {
    private final Supplier<Tensor> formula;
    private volatile @Nullable Tensor cached;

    /** Creates a value that belongs to no adapter and is always recomputed. Methods use {@link Grafter#cached}. */
    public CachedValue(Supplier<Tensor> formula) {
        this.formula = formula;
    }

    /** Returns the current value. */
    public Tensor value() {
        Tensor known = cached;
        return known == null ? formula.get() : known;
    }

    /** Computes the value once and keeps it. */
    void cache() {
        if (cached == null) {
            try (NoGrad noGrad = new NoGrad();
                    Scope scope = new Scope()) {
                cached = scope.release(formula.get().contiguous());
            }
        }
    }

    /** Returns the memory of the kept value, in bytes. */
    long bytes() {
        Tensor known = cached;
        return known == null ? 0 : known.nbytes();
    }

    /** Frees the memory of the kept value. */
    void close() {
        Tensor known = cached;
        if (known != null) {
            known.close();
        }
    }
}
