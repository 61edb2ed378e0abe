/** What a run costs: time, memory, energy, and the machine it ran on; every value with its unit and where it comes from. */
@NullMarked
package dev.graft.eval.cost;

import org.jspecify.annotations.NullMarked;
