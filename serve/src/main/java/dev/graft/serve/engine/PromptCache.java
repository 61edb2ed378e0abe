package dev.graft.serve.engine;

import dev.graft.models.cache.KvCache;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A prefix cache: keys and values of earlier prompts in chunks, shared by prompts with the same beginning and the same adapter. A chunk is
 * what one pass reads, so outputs are bit-identical with and without the cache. Used by one thread.
 */
final class PromptCache implements AutoCloseable {
    private final int chunkSize;
    private final long maxBytes;
    private final Map<Key, KvCache> chunks = new LinkedHashMap<>(16, 0.75f, true);
    private long bytes;

    /**
     * Tokens up to the end of a chunk.
     *
     * @param revision of the adapter
     */
    private record Key(long revision, IntBuffer tokens) {}

    /**
     * Creates a cache.
     *
     * @param chunk the number of tokens in a chunk
     * @param most the maximum number of bytes
     */
    PromptCache(int chunk, long most) {
        this.chunkSize = chunk;
        this.maxBytes = most;
    }

    /** Copies the cached beginning of a prompt, without its last token; returns the number of tokens copied. */
    int load(long revision, int[] prompt, KvCache into) {
        List<KvCache> known = new ArrayList<>();
        for (int end = chunkSize; end < prompt.length; end += chunkSize) {
            KvCache slice = chunks.get(key(revision, prompt, end));
            if (slice == null) {
                break;
            }
            known.add(slice);
        }
        known.forEach(into::appendSlice);
        return known.size() * chunkSize;
    }

    /** Keeps the chunk that ends there, which was read last. */
    void store(long revision, int[] prompt, int end, KvCache from) {
        Key key = key(revision, prompt, end);
        if (end % chunkSize != 0 || chunks.containsKey(key)) {
            return;
        }
        KvCache slice = from.slice(end - chunkSize, chunkSize);
        if (slice.bytes() > maxBytes) {
            slice.close();
            return;
        }
        bytes += slice.bytes();
        chunks.put(key, slice);
        Iterator<KvCache> oldest = chunks.values().iterator();
        while (bytes > maxBytes) {
            KvCache old = oldest.next();
            oldest.remove();
            bytes -= old.bytes();
            old.close();
        }
    }

    private static Key key(long revision, int[] prompt, int end) {
        return new Key(revision, IntBuffer.wrap(Arrays.copyOf(prompt, end)));
    }

    @Override
    public void close() {
        chunks.values().forEach(KvCache::close);
        chunks.clear();
        bytes = 0;
    }
}
