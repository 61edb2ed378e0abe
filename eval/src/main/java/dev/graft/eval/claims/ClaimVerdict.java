package dev.graft.eval.claims;

import java.util.List;

/** The verdict of an experiment on a claim. */
public enum ClaimVerdict {
    HOLDS("holds here"),
    CONTRADICTED("doesn't hold here"),
    UNDECIDED("undecided: the interval holds both"),
    UNTESTED("not tested");

    private final String words;

    ClaimVerdict(String words) {
        this.words = words;
    }

    public String words() {
        return words;
    }

    /** Returns the verdict on a claim of several parts. All must hold; one that doesn't contradicts the claim. */
    static ClaimVerdict all(List<ClaimVerdict> parts) {
        for (ClaimVerdict worst : new ClaimVerdict[] {CONTRADICTED, UNTESTED, UNDECIDED}) {
            if (parts.contains(worst)) {
                return worst;
            }
        }
        return HOLDS;
    }
}
