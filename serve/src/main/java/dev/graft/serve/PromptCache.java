package dev.graft.serve;

import dev.graft.models.KvCache;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What was read of earlier prompts, in chunks: prompts that begin alike for the same adapter share their keys and values. A chunk is what
 * one pass reads, so a prompt's answer is the same to the last bit with and without. Used by one thread.
 */
final class PromptCache implements AutoCloseable {
    private final int chunk;
    private final long most;
    private final Map<Key, KvCache> chunks = new LinkedHashMap<>(16, 0.75f, true);
    private long bytes;

    /**
     * Tokens up to the end of a chunk.
     *
     * @param revision of the adapter
     */
    private record Key(long revision, IntBuffer tokens) {}

    /** A cache of chunks of so many tokens that takes at most so many bytes. */
    PromptCache(int chunk, long most) {
        this.chunk = chunk;
        this.most = most;
    }

    /** Copies what is known of a prompt, short of its last token; returns how many tokens that are. */
    int read(long revision, int[] prompt, KvCache into) {
        List<KvCache> known = new ArrayList<>();
        for (int end = chunk; end < prompt.length; end += chunk) {
            KvCache part = chunks.get(key(revision, prompt, end));
            if (part == null) {
                break;
            }
            known.add(part);
        }
        known.forEach(into::read);
        return known.size() * chunk;
    }

    /** Keeps the chunk that ends there, which was read last. */
    void keep(long revision, int[] prompt, int end, KvCache from) {
        Key key = key(revision, prompt, end);
        if (end % chunk != 0 || chunks.containsKey(key)) {
            return;
        }
        KvCache part = from.part(end - chunk, chunk);
        if (part.bytes() > most) {
            part.close();
            return;
        }
        bytes += part.bytes();
        chunks.put(key, part);
        Iterator<KvCache> oldest = chunks.values().iterator();
        while (bytes > most) {
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
