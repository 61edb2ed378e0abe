/** Progress of a run, for user interfaces. */
@NullMarked
package dev.graft.run.progress;

import org.jspecify.annotations.NullMarked;
