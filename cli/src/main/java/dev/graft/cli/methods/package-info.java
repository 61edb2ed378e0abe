/** What {@code graft methods} says about the registered methods, and how the options of a method become one. */
@NullMarked
package dev.graft.cli.methods;

import org.jspecify.annotations.NullMarked;
