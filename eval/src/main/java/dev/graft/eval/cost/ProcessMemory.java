package dev.graft.eval.cost;

import java.nio.file.Path;

/** The resident memory of this process: Java heap, native tensors, mapped weights that are in memory, code. */
public final class ProcessMemory {

    private static final ProcFile STATUS = new ProcFile(Path.of("/proc/self/status"));

    private ProcessMemory() {}

    /** The most that was resident since the process started, in bytes. */
    public static Measured<Long> peakResident() {
        return STATUS.bytes("VmHWM");
    }

    /** What is resident now, in bytes. */
    public static Measured<Long> resident() {
        return STATUS.bytes("VmRSS");
    }
}
