package dev.graft.parity;

/**
 * The result of one case.
 *
 * @param id its path in the tree, for example {@code adapters/llama-gqa/lora}
 * @param maxError the difference that is largest relative to its tolerance; 0 if nothing differs
 * @param tolerance the tolerance of that difference
 * @param message the difference, or the reason why the case isn't covered; empty if it passed
 */
public record CaseResult(String id, Status status, double maxError, double tolerance, String message) {
    public enum Status {
        PASSED,
        FAILED,
        /** The case needs a feature that Graft doesn't have. */
        NOT_COVERED
    }

    /** Returns the first part of the id. */
    public String group() {
        return id.substring(0, id.indexOf('/'));
    }
}
