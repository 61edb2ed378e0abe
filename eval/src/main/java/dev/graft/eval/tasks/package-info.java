/** The tasks of training: the rows of each, and how they are encoded, trained and scored. */
@NullMarked
package dev.graft.eval.tasks;

import org.jspecify.annotations.NullMarked;
