package dev.graft.serve;

/** An engine that runs requests on one base in a thread of its own. */
public interface InferenceEngine extends AutoCloseable {
    /** Returns the number of waiting texts. */
    int waiting();

    /** Returns the number of texts in progress. */
    int running();

    /**
     * Stops accepting requests and waits for the pending ones.
     *
     * @param most the maximum wait in milliseconds; 0 for no limit
     * @return true if all work is done
     */
    boolean drain(long most);

    /** Cancels the requests that the engine still has, and stops it. */
    @Override
    void close();
}
