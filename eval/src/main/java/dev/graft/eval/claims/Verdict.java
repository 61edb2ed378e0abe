package dev.graft.eval.claims;

import java.util.List;

/** What an experiment says of a claim. */
public enum Verdict {
    HOLDS("holds here"),
    CONTRADICTED("doesn't hold here"),
    UNDECIDED("undecided: the interval holds both"),
    UNTESTED("not tested");

    private final String words;

    Verdict(String words) {
        this.words = words;
    }

    public String words() {
        return words;
    }

    /** Of a claim of several parts: all must hold, and one that doesn't is enough to contradict it. */
    static Verdict all(List<Verdict> parts) {
        for (Verdict worst : new Verdict[] {CONTRADICTED, UNTESTED, UNDECIDED}) {
            if (parts.contains(worst)) {
                return worst;
            }
        }
        return HOLDS;
    }
}
