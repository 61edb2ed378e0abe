/** The {@code graft} command. Its subcommands read options, call the other modules and print the results. */
@NullMarked
package dev.graft.cli;

import org.jspecify.annotations.NullMarked;
