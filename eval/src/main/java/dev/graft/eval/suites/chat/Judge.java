package dev.graft.eval.suites.chat;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** A judge of answers to MT-Bench. */
public interface Judge {
    /** Returns the judge's name, for the report. */
    String name();

    /**
     * Rates an answer from 1 to 10.
     *
     * @param turn the turn to judge, from 0
     * @param answers the answers to all turns
     */
    Judgement<Double> rate(MtQuestion question, int turn, List<String> answers);

    /**
     * Returns which of two answers is better.
     *
     * @param first the answers that are shown first
     * @param second the answers that are shown second
     * @param swapped true if the first ones are the opponent's
     */
    Judgement<Winner> compare(MtQuestion question, int turn, List<String> first, List<String> second, boolean swapped);

    /** The better of two answers, in the order in which they are shown. */
    enum Winner {
        FIRST,
        SECOND,
        TIE;

        Winner swapped() {
            return this == TIE ? TIE : this == FIRST ? SECOND : FIRST;
        }
    }

    /**
     * The judgement of a judge.
     *
     * @param value the judgement; null if there is none
     * @param failed true if the judge's reply couldn't be parsed
     */
    record Judgement<T>(@Nullable T value, boolean failed) {
        static <T> Judgement<T> of(T value) {
            return new Judgement<>(value, false);
        }

        static <T> Judgement<T> unreadable() {
            return new Judgement<>(null, true);
        }

        static <T> Judgement<T> none() {
            return new Judgement<>(null, false);
        }
    }
}
