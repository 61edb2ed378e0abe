/** Scores of objects found in images. */
@NullMarked
package dev.graft.eval.metrics.detection;

import org.jspecify.annotations.NullMarked;
