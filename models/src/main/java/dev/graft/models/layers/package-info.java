/** The operations of layers, with their gradients. */
@NullMarked
package dev.graft.models.layers;

import org.jspecify.annotations.NullMarked;
