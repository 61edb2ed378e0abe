/** JMH benchmarks of frequent operations; they are run manually. */
@NullMarked
package dev.graft.benchmarks;

import org.jspecify.annotations.NullMarked;
