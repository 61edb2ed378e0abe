/** Terminal output: the live line of a run, tables, and the handling of signals. */
@NullMarked
package dev.graft.cli.terminal;

import org.jspecify.annotations.NullMarked;
