/** Event logs of a run: CSV, JSON lines, TensorBoard. */
@NullMarked
package dev.graft.train.log;

import org.jspecify.annotations.NullMarked;
