/** The {@code graft} command. Its sub commands read options, call the other modules and print; what they do is not here. */
@NullMarked
package dev.graft.cli;

import org.jspecify.annotations.NullMarked;
