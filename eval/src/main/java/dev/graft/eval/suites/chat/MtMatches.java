package dev.graft.eval.suites.chat;

import dev.graft.eval.suites.chat.Judge.Opinion;
import dev.graft.eval.suites.chat.Judge.Winner;
import java.util.List;

/** How answers do beside others, each pair shown in both orders. */
public record MtMatches(String judge, List<Match> matches) {
    public MtMatches {
        matches = List.copyOf(matches);
    }

    /**
     * A turn, from 0.
     *
     * @param first what was said when the own answer was shown first
     * @param second when it was shown second, said of the own answer as the first
     */
    public record Match(MtQuestion question, int turn, Opinion<Winner> first, Opinion<Winner> second) {
        boolean failed() {
            return first.failed() || second.failed();
        }

        boolean judged() {
            return first.value() != null && second.value() != null;
        }

        /** Whether the order decided. */
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

    /** Those in which the order decided are among them. */
    public long ties() {
        return matches.stream().filter(match -> match.is(Winner.TIE)).count();
    }

    public long inconsistent() {
        return matches.stream().filter(Match::inconsistent).count();
    }

    /** How often the judge's words couldn't be read in one order or both. */
    public long failures() {
        return matches.stream().filter(Match::failed).count();
    }

    /** Wins and half of the ties, of what was judged; NaN if nothing was. */
    public double winRate() {
        return (wins() + 0.5 * ties()) / (wins() + losses() + ties());
    }
}
