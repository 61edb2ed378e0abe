/** {@code graft train}. */
@NullMarked
package dev.graft.cli.train;

import org.jspecify.annotations.NullMarked;
