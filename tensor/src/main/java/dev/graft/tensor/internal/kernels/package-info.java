/** Declarations and layouts of the loops in C++; {@code dev.graft.tensor.ops} calls them. */
@NullMarked
package dev.graft.tensor.internal.kernels;

import org.jspecify.annotations.NullMarked;
