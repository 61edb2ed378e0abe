/**
 * Operations by the fastest of loops in C++, oneDNN and libtorch, with their data for training steps and served batches.
 */
@NullMarked
package dev.graft.tensor.ops;

import org.jspecify.annotations.NullMarked;
