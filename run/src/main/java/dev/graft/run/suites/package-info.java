/** A model on the tasks of benchmarks. */
@NullMarked
package dev.graft.run.suites;

import org.jspecify.annotations.NullMarked;
