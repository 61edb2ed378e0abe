package dev.graft.serve;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** What a listener heard. */
class Heard implements Listener {
    final List<Token> prompt = new ArrayList<>();
    final List<Token> tokens = new ArrayList<>();
    final StringBuilder text = new StringBuilder();
    final CompletableFuture<Ended> end = new CompletableFuture<>();
    final CompletableFuture<Token> first = new CompletableFuture<>();

    @Override
    public void prompt(List<Token> its) {
        prompt.addAll(its);
    }

    @Override
    public void token(Token token, String piece) {
        tokens.add(token);
        text.append(piece);
        first.complete(token);
    }

    @Override
    public void ended(Ended ended) {
        end.complete(ended);
    }

    @Override
    public void failed(RuntimeException why) {
        end.completeExceptionally(why);
    }

    Heard await() {
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
