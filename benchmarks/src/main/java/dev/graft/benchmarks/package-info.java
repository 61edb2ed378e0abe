/** JMH benchmarks of what is called often; they are run by hand. */
@NullMarked
package dev.graft.benchmarks;

import org.jspecify.annotations.NullMarked;
