package dev.graft.tensor;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Frees, when it closes, every tensor made inside it on the thread that opened it. {@link #keep} exempts a tensor.
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

    /** Moves the tensor to the enclosing scope if there is one, else to the garbage collector. */
    public Tensor keep(Tensor tensor) {
        if (outer == null) {
            return release(tensor);
        }
        outer.attach(tensor);
        scope.detach(tensor);
        return tensor;
    }

    /** Exempts the tensor from every scope: it is freed when nothing refers to it any more. */
    public Tensor release(Tensor tensor) {
        tensor.retainReference();
        scope.detach(tensor);
        return tensor;
    }

    /** Takes over a tensor exempted by {@link #release}, maybe on another thread: this scope frees it. */
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
