package dev.graft.serve.engine;

import dev.graft.serve.GenerationListener;
import dev.graft.serve.TokenLogprob;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** What a listener heard. */
class RecordingListener implements GenerationListener {
    final List<TokenLogprob> prompt = new ArrayList<>();
    final List<TokenLogprob> tokens = new ArrayList<>();
    final StringBuilder text = new StringBuilder();
    final CompletableFuture<Result> end = new CompletableFuture<>();
    final CompletableFuture<TokenLogprob> first = new CompletableFuture<>();

    @Override
    public void onPromptTokens(List<TokenLogprob> its) {
        prompt.addAll(its);
    }

    @Override
    public void onToken(TokenLogprob token, String piece) {
        tokens.add(token);
        text.append(piece);
        first.complete(token);
    }

    @Override
    public void onFinish(Result result) {
        end.complete(result);
    }

    @Override
    public void onError(RuntimeException why) {
        end.completeExceptionally(why);
    }

    RecordingListener await() {
        try {
            end.get(60, TimeUnit.SECONDS);
            return this;
        } catch (ExecutionException failed) {
            if (failed.getCause() instanceof RuntimeException why) {
                throw why;
            }
            throw new AssertionError(failed);
        } catch (InterruptedException | TimeoutException stuck) {
            throw new AssertionError(stuck);
        }
    }
}
