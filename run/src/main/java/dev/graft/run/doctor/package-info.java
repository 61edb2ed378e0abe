/** Checks of what a run depends on outside of Graft: Java, processor, memory, caches, programs, variables. */
@NullMarked
package dev.graft.run.doctor;

import org.jspecify.annotations.NullMarked;
