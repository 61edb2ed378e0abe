package dev.graft.serve;

/** Receives the measurements of an engine, for metrics. Called by the engine's thread. */
public interface EngineObserver {
    /** An observer that ignores everything. */
    EngineObserver NONE = new EngineObserver() {};

    /** Called when a text leaves the queue, with the time that it waited. */
    default void onStart(ServedModel model, long waitedNanos) {}

    /** Called when a pass has read tokens of a prompt, or of a text to be encoded. */
    default void onInputTokens(ServedModel model, int tokens) {}

    /** Called with a text's first token, with the time since the request. */
    default void onFirstToken(ServedModel model, long nanos) {}

    /** Called after a pass that has written one token for each of its texts. */
    default void onDecodeStep(int texts, long nanos) {}
}
