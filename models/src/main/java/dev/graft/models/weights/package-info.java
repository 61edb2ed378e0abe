/** The tensors of a checkpoint under the names of an architecture. */
@NullMarked
package dev.graft.models.weights;

import org.jspecify.annotations.NullMarked;
