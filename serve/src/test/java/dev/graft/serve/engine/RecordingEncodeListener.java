package dev.graft.serve.engine;

import dev.graft.serve.EncodeListener;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** What a listener of whole texts heard. */
class RecordingEncodeListener implements EncodeListener {
    final CompletableFuture<List<float[]>> answers = new CompletableFuture<>();
    final CompletableFuture<Void> left = new CompletableFuture<>();

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
        left.complete(null);
    }
}
