/**
 * The adapters of a server. {@link dev.graft.serve.adapters.Adapters} resolves a model's name to an adapter and leases it. An
 * {@link dev.graft.serve.adapters.AdapterStore} finds adapters on disk, and {@code AdapterCache} keeps them in memory within a budget of
 * bytes.
 */
@NullMarked
package dev.graft.serve.adapters;

import org.jspecify.annotations.NullMarked;
