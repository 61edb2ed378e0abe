package dev.graft.serve.adapters;

import dev.graft.peft.Adapter;
import java.time.Instant;

/**
 * An adapter in memory.
 *
 * @param version its version in the store
 * @param bytes memory of its parameters
 * @param loadNanos duration of the load
 */
public record LoadedAdapter(Adapter adapter, String version, Instant loadedAt, long bytes, long loadNanos) {}
