/** Training on fixed rows of token ids for a number of steps, to be timed against other toolkits on the same rows. */
@NullMarked
package dev.graft.train.bench;

import org.jspecify.annotations.NullMarked;
