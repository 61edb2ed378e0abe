package dev.graft.peft.internal;

import dev.graft.formats.InputException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.jspecify.annotations.Nullable;

/** Python's regular expressions as adapter configurations use them, with a limit on the work that one may cause. */
public final class PythonRegex {
    private static final int MOST_STEPS = 1_000_000;

    private PythonRegex() {}

    /** {@code re.fullmatch}. */
    public static boolean fullMatch(String field, String regex, String text) {
        return run(field, regex, text, Matcher::matches);
    }

    /** {@code re.match}: from the start, not necessarily to the end. */
    public static boolean match(String field, String regex, String text) {
        return run(field, regex, text, Matcher::lookingAt);
    }

    /** The group {@code idx} of {@code re.match}, or null if there is no match. */
    public static @Nullable String group(String field, String regex, String text) {
        String[] found = new String[1];
        run(field, regex, text, matcher -> {
            if (matcher.lookingAt()) {
                found[0] = matcher.group("idx");
            }
            return true;
        });
        return found[0];
    }

    private interface Attempt {
        boolean of(Matcher matcher);
    }

    private static boolean run(String field, String regex, String text, Attempt attempt) {
        try {
            Pattern pattern = Pattern.compile(regex.replace("(?P<", "(?<"));
            return attempt.of(pattern.matcher(new Budgeted(text, new int[] {MOST_STEPS})));
        } catch (PatternSyntaxException malformed) {
            throw new InputException(
                    field + ": \"" + regex + "\" is not a regular expression: " + malformed.getDescription(),
                    malformed);
        } catch (OutOfSteps | StackOverflowError endless) {
            throw new InputException(
                    field + ": \"" + regex + "\" takes too long to match against " + text
                            + "; write it without nested repetition",
                    endless);
        }
    }

    private static final class OutOfSteps extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    /** A text that can be looked at only so often. */
    private record Budgeted(String text, int[] steps) implements CharSequence {
        @Override
        public char charAt(int index) {
            if (--steps[0] < 0) {
                throw new OutOfSteps();
            }
            return text.charAt(index);
        }

        @Override
        public int length() {
            return text.length();
        }

        @Override
        public CharSequence subSequence(int start, int end) {
            return new Budgeted(text.substring(start, end), steps);
        }

        @Override
        public String toString() {
            return text;
        }
    }
}
