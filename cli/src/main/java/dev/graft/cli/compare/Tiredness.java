package dev.graft.cli.compare;

import dev.graft.eval.cost.ProcessMemory;
import java.util.function.BooleanSupplier;

/**
 * Whether a process has grown so much since its first trial that a fresh one should go on: freed memory of many sizes lies scattered, and
 * the longer a process trains the more of it there is.
 */
final class Tiredness implements BooleanSupplier {
    private static final long MOST_GROWTH = 1L << 30;

    private long first;

    @Override
    public boolean getAsBoolean() {
        Long resident = ProcessMemory.resident().value();
        if (resident == null) {
            return false;
        }
        first = first == 0 ? resident : Math.min(first, resident);
        return resident - first > MOST_GROWTH;
    }
}
