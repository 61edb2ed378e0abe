package dev.graft.eval.suites.chat;

import dev.graft.eval.suites.chat.Judge.Judgement;
import dev.graft.eval.suites.chat.Judge.Winner;
import java.util.List;

/** The comparison of answers with others, each pair shown in both orders. */
public record MtMatches(String judge, List<Match> matches) {
    public MtMatches {
        matches = List.copyOf(matches);
    }

    /**
     * The comparison of one turn.
     *
     * @param turn the turn, from 0
     * @param first the judgement with the own answer shown first
     * @param second the judgement with the own answer shown second, converted as if it were shown first
     */
    public record Match(MtQuestion question, int turn, Judgement<Winner> first, Judgement<Winner> second) {
        boolean failed() {
            return first.failed() || second.failed();
        }

        boolean judged() {
            return first.value() != null && second.value() != null;
        }

        /** Returns whether the order decided. */
        boolean inconsistent() {
            return judged() && first.value() != second.value();
        }

        boolean is(Winner winner) {
            return judged() && (inconsistent() ? winner == Winner.TIE : first.value() == winner);
        }
    }

    public long wins() {
        return matches.stream().filter(match -> match.is(Winner.FIRST)).count();
    }

    public long losses() {
        return matches.stream().filter(match -> match.is(Winner.SECOND)).count();
    }

    /** Returns the number of ties, including matches that the order decided. */
    public long ties() {
        return matches.stream().filter(match -> match.is(Winner.TIE)).count();
    }

    public long inconsistent() {
        return matches.stream().filter(Match::inconsistent).count();
    }

    /** Returns the number of matches with a reply that couldn't be parsed in one order or both. */
    public long failures() {
        return matches.stream().filter(Match::failed).count();
    }

    /** Returns the share of wins plus half of the ties among the judged matches; NaN if there are none. */
    public double winRate() {
        return (wins() + 0.5 * ties()) / (wins() + losses() + ties());
    }
}
