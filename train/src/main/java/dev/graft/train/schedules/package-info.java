/** Learning rate schedules as pure functions of the optimiser step. */
@NullMarked
package dev.graft.train.schedules;

import org.jspecify.annotations.NullMarked;
