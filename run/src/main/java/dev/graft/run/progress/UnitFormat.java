package dev.graft.run.progress;

import java.time.Duration;
import java.util.Locale;

/** Formats numbers with units, short enough for a table. */
public final class UnitFormat {
    private static final String[] BYTES = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

    private UnitFormat() {}

    /** Formats a number of bytes: {@code 512 B}, {@code 1.5 GiB}. */
    public static String bytes(long bytes) {
        double value = bytes;
        int unit = 0;
        // 1023.95 would be written as 1024.0.
        while (Math.abs(value) >= (unit == 0 ? 1024 : 1023.95) && unit < BYTES.length - 1) {
            value /= 1024;
            unit++;
        }
        return unit == 0 ? bytes + " B" : String.format(Locale.ROOT, "%.1f %s", value, BYTES[unit]);
    }

    /** Formats a duration: {@code 0.35s}, {@code 12s}, {@code 3m05s}, {@code 2h04m}, {@code 1d03h}. */
    public static String duration(Duration duration) {
        long millis = duration.toMillis();
        if (Math.abs(millis) < 9_995) {
            return String.format(Locale.ROOT, "%.2fs", millis / 1000.0);
        }
        long seconds = Math.round(millis / 1000.0);
        if (seconds < 60) {
            return seconds + "s";
        } else if (seconds < 3600) {
            return String.format(Locale.ROOT, "%dm%02ds", seconds / 60, seconds % 60);
        } else if (seconds < 86_400) {
            return String.format(Locale.ROOT, "%dh%02dm", seconds / 3600, seconds % 3600 / 60);
        }
        return String.format(Locale.ROOT, "%dd%02dh", seconds / 86_400, seconds % 86_400 / 3600);
    }

    /** Formats a count: {@code 950}, {@code 12.3k}, {@code 1.08M}. */
    public static String count(double count) {
        double size = Math.abs(count);
        if (size >= 999_950_000) {
            return String.format(Locale.ROOT, "%.2fB", count / 1e9);
        } else if (size >= 999_950) {
            return String.format(Locale.ROOT, "%.2fM", count / 1e6);
        } else if (size >= 9_995) {
            return String.format(Locale.ROOT, "%.1fk", count / 1e3);
        }
        return size >= 99.5 || count == Math.rint(count)
                ? String.format(Locale.ROOT, "%.0f", count)
                : String.format(Locale.ROOT, "%.1f", count);
    }
}
