package dev.graft.train;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Resident memory of this process, where the operating system reports it. */
public final class ResidentMemory {
    private static final Path STATUS = Path.of("/proc/self/status");
    private static final Path CLEAR = Path.of("/proc/self/clear_refs");
    private static final String CLEAR_PEAK = "5";

    private ResidentMemory() {}

    /** Returns the current resident memory in bytes; 0 if unknown. */
    public static long bytes() {
        return field("VmRSS:");
    }

    /** Returns the peak since the process started or since {@link #resetPeak}, in bytes; 0 if unknown. */
    public static long peak() {
        return field("VmHWM:");
    }

    /** Resets the peak to the current memory; returns false where the system can't. */
    public static boolean resetPeak() {
        try {
            Files.writeString(CLEAR, CLEAR_PEAK);
            return true;
        } catch (IOException notLinux) {
            return false;
        }
    }

    private static long field(String name) {
        try {
            for (String line : Files.readAllLines(STATUS, StandardCharsets.ISO_8859_1)) {
                if (line.startsWith(name)) {
                    String[] parts = line.substring(name.length()).strip().split(" ");
                    return Long.parseLong(parts[0]) * 1024;
                }
            }
            return 0;
        } catch (IOException | NumberFormatException notLinux) {
            return 0;
        }
    }
}
