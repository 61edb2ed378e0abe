/** Checkpoints that are whole or not there, the run folder's lock, and resuming. */
@NullMarked
package dev.graft.train.checkpoints;

import org.jspecify.annotations.NullMarked;
