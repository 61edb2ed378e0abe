/** {@code graft parity}: compares Graft with stored outputs of reference libraries. */
@NullMarked
package dev.graft.cli.parity;

import org.jspecify.annotations.NullMarked;
