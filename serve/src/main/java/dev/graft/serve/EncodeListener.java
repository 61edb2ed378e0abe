package dev.graft.serve;

import dev.graft.serve.engine.EncoderEngine;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Receives the results of an {@link EncodeRequest}. Called by the engine's thread, so it must never block. */
public interface EncodeListener {
    /**
     * Called when all texts are encoded.
     *
     * @param answers the output of {@link EncoderEngine} for each text, in their order, such as {@code [hidden]}
     */
    void onResults(List<float[]> answers);

    /** Called when the request fails: the engine stops, the deadline has passed, or the model failed. */
    void onError(RuntimeException why);

    /**
     * Called once, last, when the engine no longer uses the texts and their adapter, also after a failure or a cancellation.
     */
    default void onRelease() {}

    /** Returns a listener that completes a future, and runs an action when the engine releases the texts. */
    static EncodeListener completing(CompletableFuture<List<float[]>> answers, Runnable onRelease) {
        return new EncodeListener() {
            @Override
            public void onResults(List<float[]> all) {
                answers.complete(all);
            }

            @Override
            public void onError(RuntimeException why) {
                answers.completeExceptionally(why);
            }

            @Override
            public void onRelease() {
                onRelease.run();
            }
        };
    }
}
