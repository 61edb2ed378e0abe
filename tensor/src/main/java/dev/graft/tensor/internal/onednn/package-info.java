/** Matrix products by oneDNN, compiled once for each shape. */
@NullMarked
package dev.graft.tensor.internal.onednn;

import org.jspecify.annotations.NullMarked;
