package dev.graft.tensor;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Frees every tensor made inside it, on the thread that opened it, when it closes; {@link #keep} lets one outlive it.
 *
 * <pre>{@code
 * try (Scope scope = new Scope()) {
 *     return scope.keep(x.matmul(w).relu());
 * }
 * }</pre>
 */
public final class Scope implements AutoCloseable {
    static {
        Natives.load();
    }

    private final @Nullable PointerScope outer = PointerScope.getInnerScope();
    private final PointerScope scope = new PointerScope();

    /** Hands the tensor to the enclosing scope if there is one, else to the garbage collector. */
    public Tensor keep(Tensor tensor) {
        if (outer == null) {
            return release(tensor);
        }
        outer.attach(tensor);
        scope.detach(tensor);
        return tensor;
    }

    /** Lets the tensor outlive every scope: it is freed when nothing refers to it any more. */
    public Tensor release(Tensor tensor) {
        tensor.retainReference();
        scope.detach(tensor);
        return tensor;
    }

    /** Takes over a tensor that another scope let go by {@link #release}, maybe on another thread: it is freed with the others. */
    public Tensor adopt(Tensor tensor) {
        scope.attach(tensor);
        tensor.releaseReference();
        return tensor;
    }

    @Override
    public void close() {
        scope.close();
    }
}
