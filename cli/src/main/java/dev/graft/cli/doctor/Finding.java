package dev.graft.cli.doctor;

import org.jspecify.annotations.Nullable;

/**
 * One line of {@code graft doctor}.
 *
 * @param advice what to do about it, null where nothing needs doing
 */
public record Finding(
        State state, String name, String value, @Nullable String advice) {

    /** A warning costs speed or comfort; with a problem something does not work. */
    public enum State {
        OK,
        WARNING,
        PROBLEM
    }

    public static Finding ok(String name, String value) {
        return new Finding(State.OK, name, value, null);
    }

    public static Finding warning(String name, String value, String advice) {
        return new Finding(State.WARNING, name, value, advice);
    }

    public static Finding problem(String name, String value, String advice) {
        return new Finding(State.PROBLEM, name, value, advice);
    }
}
