/** {@code graft parity}: runs the cases that reference libraries made. */
@NullMarked
package dev.graft.cli.parity;

import org.jspecify.annotations.NullMarked;
