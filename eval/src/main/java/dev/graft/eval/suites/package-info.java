/** Benchmarks read from their official files and scored by their official rules; and twins of them, generated in the same files. */
@NullMarked
package dev.graft.eval.suites;

import org.jspecify.annotations.NullMarked;
