/** Comparison of methods on one task and one base: their scores and their costs. */
@NullMarked
package dev.graft.eval.compare;

import org.jspecify.annotations.NullMarked;
