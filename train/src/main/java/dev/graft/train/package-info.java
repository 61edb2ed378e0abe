/**
 * Training: data, schedules, checkpoints, logs and the loop that joins them.
 *
 * <p>A run is watched through {@link dev.graft.train.TrainingListener}; the logs, the terminal line and the report are listeners.
 */
@NullMarked
package dev.graft.train;

import org.jspecify.annotations.NullMarked;
