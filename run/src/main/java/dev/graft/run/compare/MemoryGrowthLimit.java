package dev.graft.run.compare;

import dev.graft.eval.cost.ProcessMemory;
import java.util.function.BooleanSupplier;

/**
 * True once a process has grown so much since its first trial that a fresh one should continue. Freed memory of many
 * sizes is fragmented, and grows the longer a process trains.
 */
final class MemoryGrowthLimit implements BooleanSupplier {
    private static final long MAX_GROWTH = 1L << 30;

    private long baseline;

    @Override
    public boolean getAsBoolean() {
        Long resident = ProcessMemory.resident().value();
        if (resident == null) {
            return false;
        }
        baseline = baseline == 0 ? resident : Math.min(baseline, resident);
        return resident - baseline > MAX_GROWTH;
    }
}
