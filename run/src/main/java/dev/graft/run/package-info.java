/** Training runs: their preparation, their memory, their folders and {@link dev.graft.run.Run}, which starts one. */
@NullMarked
package dev.graft.run;

import org.jspecify.annotations.NullMarked;
