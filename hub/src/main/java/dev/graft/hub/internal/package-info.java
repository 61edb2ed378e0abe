/** The clients, the cache and the archive reader behind {@link dev.graft.hub.Hub}. */
@NullMarked
package dev.graft.hub.internal;

import org.jspecify.annotations.NullMarked;
