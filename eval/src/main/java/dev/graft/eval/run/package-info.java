/** The subject and the outcome of a run: rows for a task, the scores of a model on them, its curves and its report. */
@NullMarked
package dev.graft.eval.run;

import org.jspecify.annotations.NullMarked;
