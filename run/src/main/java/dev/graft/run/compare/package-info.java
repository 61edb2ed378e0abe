/** Experiments that recipes describe: comparisons of methods and races. */
@NullMarked
package dev.graft.run.compare;

import org.jspecify.annotations.NullMarked;
