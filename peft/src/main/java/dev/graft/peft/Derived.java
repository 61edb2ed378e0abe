package dev.graft.peft;

import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** What a method makes of parameters before it acts, such as norms or rotations: anew each time, until the adapter is {@linkplain Adapter#freeze frozen}. */
public final class Derived {
    private final Supplier<Tensor> formula;
    private volatile @Nullable Tensor kept;

    /** What belongs to no adapter and is made anew each time; {@link Grafter#derived} is for methods. */
    public Derived(Supplier<Tensor> formula) {
        this.formula = formula;
    }

    /** Its value now. */
    public Tensor value() {
        Tensor known = kept;
        return known == null ? formula.get() : known;
    }

    /** Makes it for good. */
    void keep() {
        if (kept == null) {
            try (NoGrad off = new NoGrad();
                    Scope scope = new Scope()) {
                kept = scope.release(formula.get().contiguous());
            }
        }
    }

    /** The memory that it takes for good, in bytes. */
    long bytes() {
        Tensor known = kept;
        return known == null ? 0 : known.nbytes();
    }

    /** Gives that memory back. */
    void close() {
        Tensor known = kept;
        if (known != null) {
            known.close();
        }
    }
}
