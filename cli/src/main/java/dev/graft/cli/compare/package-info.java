/** {@code graft compare}. */
@NullMarked
package dev.graft.cli.compare;

import org.jspecify.annotations.NullMarked;
