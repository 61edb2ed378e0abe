/**
 * The training loop: {@link dev.graft.train.Trainer}, its settings, events and results.
 *
 * <p>A run is watched through {@link dev.graft.train.TrainingListener}; the logs, the terminal line and the report are listeners.
 */
@NullMarked
package dev.graft.train;

import org.jspecify.annotations.NullMarked;
