/** {@code graft doctor}: what a run depends on outside of Graft, and what is wrong with it. */
@NullMarked
package dev.graft.cli.doctor;

import org.jspecify.annotations.NullMarked;
