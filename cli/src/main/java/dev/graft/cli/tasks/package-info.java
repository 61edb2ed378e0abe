/** {@code graft tasks}: the tasks that a run can train. */
@NullMarked
package dev.graft.cli.tasks;

import org.jspecify.annotations.NullMarked;
