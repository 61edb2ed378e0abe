/** Data sets that packages carry, as rows to train on. */
@NullMarked
package dev.graft.train.data.sets;

import org.jspecify.annotations.NullMarked;
