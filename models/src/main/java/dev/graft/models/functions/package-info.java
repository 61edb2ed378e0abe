/** Elementwise functions: activations and the soft cap. */
@NullMarked
package dev.graft.models.functions;

import org.jspecify.annotations.NullMarked;
