/** {@code graft generate} and {@code graft chat}: what a causal language model writes. */
@NullMarked
package dev.graft.cli.generate;

import org.jspecify.annotations.NullMarked;
