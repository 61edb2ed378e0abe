package dev.graft.serve.adapters;

/**
 * Statistics of the adapter cache since the start.
 *
 * @param bytes memory of the adapters in the cache now
 * @param hits leases of an adapter that was in memory
 * @param loads loads of an adapter
 * @param evictions adapters that left memory to make room
 */
public record CacheStats(long bytes, long hits, long loads, long evictions) {}
