/** Attention: masks, windows, position encodings and the scaled dot product. */
@NullMarked
package dev.graft.models.attention;

import org.jspecify.annotations.NullMarked;
