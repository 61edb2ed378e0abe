package dev.graft.parity;

/**
 * How one case went.
 *
 * @param id its path in the tree, for example {@code adapters/llama-gqa/lora}
 * @param maxError the difference that came nearest to its limit, or went furthest beyond it; 0 if nothing differs
 * @param tolerance the limit of that difference
 * @param message what differs or why it isn't covered; empty if it passed
 */
public record CaseResult(String id, Status status, double maxError, double tolerance, String message) {
    public enum Status {
        PASSED,
        FAILED,
        /** Graft doesn't have what the case is about. */
        NOT_COVERED
    }

    /** The first part of the id. */
    public String group() {
        return id.substring(0, id.indexOf('/'));
    }
}
