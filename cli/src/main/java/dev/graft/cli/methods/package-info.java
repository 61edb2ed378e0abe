/** The output of {@code graft methods} about the registered methods, and the way from its options to a method. */
@NullMarked
package dev.graft.cli.methods;

import org.jspecify.annotations.NullMarked;
