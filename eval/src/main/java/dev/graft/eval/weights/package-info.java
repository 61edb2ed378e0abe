/** Weights of trained adapters that are combined, chosen by few rows. */
@NullMarked
package dev.graft.eval.weights;

import org.jspecify.annotations.NullMarked;
