package dev.graft.eval.cost;

import java.nio.file.Path;

/** The resident memory of this process: Java heap, native tensors, mapped weights that are in memory, code. */
public final class ProcessMemory {

    private static final ProcFile STATUS = new ProcFile(Path.of("/proc/self/status"));

    private ProcessMemory() {}

    /** Returns the peak resident memory since the process started, in bytes. */
    public static Measurement<Long> peakResident() {
        return STATUS.bytes("VmHWM");
    }

    /** Returns the present resident memory, in bytes. */
    public static Measurement<Long> resident() {
        return STATUS.bytes("VmRSS");
    }
}
