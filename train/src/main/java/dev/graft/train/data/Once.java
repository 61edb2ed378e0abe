package dev.graft.train.data;

import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Asks for something when it is first needed, and then no more: what it failed with is thrown again. */
final class Once<T> implements Supplier<T> {
    private final Supplier<T> source;
    private @Nullable T value;
    private @Nullable RuntimeException failure;

    Once(Supplier<T> source) {
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
