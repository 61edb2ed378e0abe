/** Optimisers of trained parameters, which are stored in one contiguous vector. */
@NullMarked
package dev.graft.train.optim;

import org.jspecify.annotations.NullMarked;
