package dev.graft.eval.recommend;

import dev.graft.formats.InputException;
import java.time.Duration;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The memory and time that a training run may take.
 *
 * @param memory the maximum resident memory in bytes; {@code Long.MAX_VALUE} for any
 * @param time the maximum time of the whole training
 */
public record Budget(long memory, Duration time) {
    private static final Pattern SIZE = Pattern.compile("(\\d{1,9}(?:\\.\\d+)?)([kmgt])b?");
    private static final Pattern TIME = Pattern.compile("(\\d{1,9}(?:\\.\\d+)?)([smh])");
    private static final String SIZES = "kmgt";

    /** No limit. */
    public static final Budget NONE = new Budget(Long.MAX_VALUE, Duration.ofDays(36500));

    /**
     * Parses {@code memory=2g,time=10m}, either part or both.
     *
     * @throws InputException if it is another text
     */
    public static Budget parse(String text) {
        long memory = NONE.memory;
        Duration time = NONE.time;
        for (String part : text.toLowerCase(Locale.ROOT).split(",")) {
            String[] pair = part.strip().split("=", 2);
            Matcher size = SIZE.matcher(pair.length == 2 ? pair[1] : "");
            Matcher span = TIME.matcher(pair.length == 2 ? pair[1] : "");
            if (pair[0].equals("memory") && size.matches()) {
                memory = Math.round(
                        Double.parseDouble(size.group(1)) * Math.pow(1024, 1 + SIZES.indexOf(size.group(2))));
            } else if (pair[0].equals("time") && span.matches()) {
                double seconds = Double.parseDouble(span.group(1))
                        * (span.group(2).equals("s") ? 1 : span.group(2).equals("m") ? 60 : 3600);
                time = Duration.ofMillis(Math.round(1000 * seconds));
            } else {
                throw new InputException(
                        "--budget has \"" + part + "\", expected memory=2g, time=10m or both with a comma between");
            }
        }
        return new Budget(memory, time);
    }
}
