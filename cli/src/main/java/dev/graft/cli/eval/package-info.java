/** {@code graft eval}. */
@NullMarked
package dev.graft.cli.eval;

import org.jspecify.annotations.NullMarked;
