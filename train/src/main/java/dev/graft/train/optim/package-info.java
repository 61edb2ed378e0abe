/** Optimisers over the few trained parameters, kept in one piece of memory. */
@NullMarked
package dev.graft.train.optim;

import org.jspecify.annotations.NullMarked;
