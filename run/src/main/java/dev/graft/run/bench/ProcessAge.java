package dev.graft.run.bench;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** The time since this process started, including its launcher script. */
public final class ProcessAge {
    /** Linux counts the time of processes in these for programs, whatever its own clock does. */
    private static final double TICKS_PER_SECOND = 100;

    /** Field 22 of {@code /proc/self/stat}, and the command, field 2, may have spaces: counted from the end of that. */
    private static final int START = 22 - 3;

    private ProcessAge() {}

    public static double seconds() {
        try {
            return seconds(
                    Files.readString(Path.of("/proc/self/stat"), StandardCharsets.ISO_8859_1),
                    Files.readString(Path.of("/proc/uptime"), StandardCharsets.ISO_8859_1));
        } catch (IOException notLinux) {
            return ManagementFactory.getRuntimeMXBean().getUptime() / 1000.0;
        }
    }

    static double seconds(String stat, String uptime) {
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return Double.parseDouble(uptime.split(" ")[0]) - Double.parseDouble(fields[START]) / TICKS_PER_SECOND;
    }
}
