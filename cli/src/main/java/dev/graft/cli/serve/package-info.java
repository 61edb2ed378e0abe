/** {@code graft serve}. */
@NullMarked
package dev.graft.cli.serve;

import org.jspecify.annotations.NullMarked;
