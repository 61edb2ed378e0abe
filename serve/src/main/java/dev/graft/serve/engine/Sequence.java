package dev.graft.serve.engine;

import dev.graft.models.cache.BatchedKvCache;
import dev.graft.models.cache.KvCache;
import dev.graft.models.generate.Continuation;
import dev.graft.serve.GenerationListener;
import dev.graft.serve.GenerationRequest;
import dev.graft.serve.RequestHandle;
import dev.graft.serve.TokenLogprob;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** A text that is being read or written. */
final class Sequence {
    final GenerationRequest request;
    final GenerationListener listener;
    final RequestHandle handle;
    final Continuation continuation;
    /** True if its prompt is read in chunks, which other prompts may share; false if it is read whole. */
    final boolean chunked;

    /** Filled by the text while it takes a token. */
    final StringBuilder newText;

    private @Nullable KvCache cache;
    final long submittedAt = System.nanoTime();
    /** Length of its cache before the present pass. */
    long lengthBeforePass;

    int prefilled;
    int cachedTokens;

    /** The prompt's tokens read so far, if their probabilities are wanted. */
    final List<TokenLogprob> promptTokens = new ArrayList<>();

    Sequence(
            GenerationRequest request,
            GenerationListener listener,
            RequestHandle handle,
            Continuation continuation,
            StringBuilder piece,
            boolean chunked) {
        this.request = request;
        this.listener = listener;
        this.handle = handle;
        this.continuation = continuation;
        this.newText = piece;
        this.chunked = chunked;
    }

    /** Reserves a row of a batched cache. */
    void allocate(BatchedKvCache batchedCache, int row) {
        cache = batchedCache.row(
                row, (long) request.prompt().length + request.options().maxNewTokens());
    }

    /** Returns the cache of the tokens read and written so far. The sequence must have been admitted. */
    KvCache cache() {
        return Objects.requireNonNull(cache);
    }

    void notifyListener(Consumer<GenerationListener> word) {
        Callbacks.run(request.model(), () -> word.accept(listener));
    }

    boolean isPrefilled() {
        return prefilled == request.prompt().length;
    }
}
