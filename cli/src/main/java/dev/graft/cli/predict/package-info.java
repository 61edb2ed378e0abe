/** {@code graft predict}. */
@NullMarked
package dev.graft.cli.predict;

import org.jspecify.annotations.NullMarked;
