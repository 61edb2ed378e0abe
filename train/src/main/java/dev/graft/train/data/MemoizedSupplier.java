package dev.graft.train.data;

import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Calls a supplier once, at the first use, and caches its value or its exception. */
final class MemoizedSupplier<T> implements Supplier<T> {
    private final Supplier<T> source;
    private @Nullable T value;
    private @Nullable RuntimeException failure;

    MemoizedSupplier(Supplier<T> source) {
        this.source = source;
    }

    @Override
    public synchronized T get() {
        if (failure != null) {
            throw failure;
        }
        T known = value;
        if (known == null) {
            try {
                known = source.get();
            } catch (RuntimeException e) {
                failure = e;
                throw e;
            }
            value = known;
        }
        return known;
    }
}
