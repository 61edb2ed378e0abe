package dev.graft.eval.suites;

import java.math.BigDecimal;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Extracts the final number of an answer to a word problem, in its shortest form, as for GSM8K. */
public final class FinalNumber {
    private static final Pattern MARKED = Pattern.compile("#### (-?[0-9.,]+)");
    private static final Pattern NUMBER = Pattern.compile("-?\\$?[0-9][0-9,]*(?:\\.[0-9]+)?");

    private FinalNumber() {}

    /** Returns the number after {@code ####}, else the last one; null if there is none. */
    public static @Nullable String in(String answer) {
        String marked = marked(answer);
        if (marked != null) {
            return marked;
        }
        String last = null;
        Matcher found = NUMBER.matcher(answer);
        while (found.find()) {
            last = found.group();
        }
        return last == null ? null : plain(last);
    }

    /** The number behind {@code ####}; null if there is none. */
    static @Nullable String marked(String answer) {
        Matcher found = MARKED.matcher(answer);
        return found.find() ? plain(found.group(1)) : null;
    }

    private static @Nullable String plain(String number) {
        try {
            BigDecimal value = new BigDecimal(number.replaceAll("[,$]", "").replaceAll("\\.+$", ""));
            return value.stripTrailingZeros().toPlainString();
        } catch (NumberFormatException noNumber) {
            return null;
        }
    }
}
