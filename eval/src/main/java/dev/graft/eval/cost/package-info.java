/** The costs of a run: time, memory, energy and the machine. Every value has its unit and its source. */
@NullMarked
package dev.graft.eval.cost;

import org.jspecify.annotations.NullMarked;
