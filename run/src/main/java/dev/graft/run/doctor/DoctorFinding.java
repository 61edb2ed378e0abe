package dev.graft.run.doctor;

import org.jspecify.annotations.Nullable;

/**
 * One line of {@code graft doctor}.
 *
 * @param advice the advice; null if nothing needs to be done
 */
public record DoctorFinding(
        State state, String name, String value, @Nullable String advice) {

    /** The severity: a warning means lower speed or convenience, a problem means that something does not work. */
    public enum State {
        OK,
        WARNING,
        PROBLEM
    }

    public static DoctorFinding ok(String name, String value) {
        return new DoctorFinding(State.OK, name, value, null);
    }

    public static DoctorFinding warning(String name, String value, String advice) {
        return new DoctorFinding(State.WARNING, name, value, advice);
    }

    public static DoctorFinding problem(String name, String value, String advice) {
        return new DoctorFinding(State.PROBLEM, name, value, advice);
    }
}
