/** The frozen matrices of linear layers, plain or quantised. */
@NullMarked
package dev.graft.models.matrices;

import org.jspecify.annotations.NullMarked;
