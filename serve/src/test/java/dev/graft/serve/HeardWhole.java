package dev.graft.serve;

import java.util.List;
import java.util.concurrent.CompletableFuture;

/** What a listener of whole texts heard. */
class HeardWhole implements EncoderListener {
    final CompletableFuture<List<float[]>> answers = new CompletableFuture<>();
    final CompletableFuture<Void> left = new CompletableFuture<>();

    @Override
    public void read(List<float[]> all) {
        answers.complete(all);
    }

    @Override
    public void failed(RuntimeException why) {
        answers.completeExceptionally(why);
    }

    @Override
    public void left() {
        left.complete(null);
    }
}
