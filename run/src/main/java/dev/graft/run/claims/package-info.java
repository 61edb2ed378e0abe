/** Trials of what a survey claims of methods. */
@NullMarked
package dev.graft.run.claims;

import org.jspecify.annotations.NullMarked;
