/** What a person sees: the live line of a run, tables, figures with units. */
@NullMarked
package dev.graft.cli.terminal;

import org.jspecify.annotations.NullMarked;
