package dev.graft.eval.suites.chat;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** Who judges answers. */
public interface Judge {
    /** Who it is, for the report. */
    String name();

    /**
     * How good an answer is, from 1 to 10.
     *
     * @param turn that is judged, from 0
     * @param answers to all turns
     */
    Opinion<Double> rate(MtQuestion question, int turn, List<String> answers);

    /**
     * Which of two answers is better.
     *
     * @param first the answers that are shown first
     * @param swapped whether those are the opponent's
     */
    Opinion<Winner> compare(MtQuestion question, int turn, List<String> first, List<String> second, boolean swapped);

    /** Which of the answers that are shown is better. */
    enum Winner {
        FIRST,
        SECOND,
        TIE;

        Winner swapped() {
            return this == TIE ? TIE : this == FIRST ? SECOND : FIRST;
        }
    }

    /**
     * What a judge says.
     *
     * @param value null where there is none
     * @param failed whether something was said that can't be read
     */
    record Opinion<T>(@Nullable T value, boolean failed) {
        static <T> Opinion<T> of(T value) {
            return new Opinion<>(value, false);
        }

        static <T> Opinion<T> unreadable() {
            return new Opinion<>(null, true);
        }

        static <T> Opinion<T> none() {
            return new Opinion<>(null, false);
        }
    }
}
