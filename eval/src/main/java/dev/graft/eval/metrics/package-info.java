/**
 * Scores of predictions against a reference. A metric is an accumulator: it takes one row at a time and keeps counts or
 * sums, never logits. Definitions are those of scikit-learn and SciPy.
 */
@NullMarked
package dev.graft.eval.metrics;

import org.jspecify.annotations.NullMarked;
