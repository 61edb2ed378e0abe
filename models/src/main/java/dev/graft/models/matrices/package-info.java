/** The frozen matrices of linear layers: whole, or kept in fewer bits. */
@NullMarked
package dev.graft.models.matrices;

import org.jspecify.annotations.NullMarked;
