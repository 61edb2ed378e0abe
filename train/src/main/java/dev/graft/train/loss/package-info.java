/** Losses with their gradients, computed without holding more than is needed. */
@NullMarked
package dev.graft.train.loss;

import org.jspecify.annotations.NullMarked;
