package dev.graft.run.config;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** A size of memory in bytes, written as a number or with a binary unit: {@code 700m}, {@code 2g}. */
public record MemorySize(long bytes) {
    private static final Pattern TEXT = Pattern.compile("(\\d{1,12}(?:\\.\\d{1,3})?)\\s*([kmgt]?)(?:i?b)?");
    private static final String UNITS = "kmgt";

    /** Less is a number without the unit that was meant. */
    private static final long LEAST = 1 << 20;

    /** Parses a size; null if the text is none. */
    static @Nullable MemorySize of(String text) {
        Matcher matcher = TEXT.matcher(text.strip().toLowerCase(Locale.ROOT));
        if (!matcher.matches()) {
            return null;
        }
        int unit = matcher.group(2).isEmpty() ? 0 : UNITS.indexOf(matcher.group(2)) + 1;
        double bytes = Double.parseDouble(matcher.group(1)) * Math.pow(1024, unit);
        return bytes >= LEAST && bytes < Long.MAX_VALUE ? new MemorySize(Math.round(bytes)) : null;
    }

    /** Returns the size with the largest unit that yields a whole number. */
    @Override
    public String toString() {
        int unit = 0;
        long value = bytes;
        while (unit < UNITS.length() && value % 1024 == 0) {
            value /= 1024;
            unit++;
        }
        return unit == 0 ? Long.toString(value) : value + UNITS.substring(unit - 1, unit);
    }
}
